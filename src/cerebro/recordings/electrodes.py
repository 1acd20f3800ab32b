"""Which channels of a file are electrodes, and which: by their labels, else by the file's own positions."""

import re
from collections.abc import Iterable

import mne
import numpy as np

from cerebro.recordings.contract import keep_voltages, refuse_constant, refuse_times
from cerebro.recordings.edf import EdfHeader
from cerebro.recordings.failures import BrokenRecording
from cerebro.recordings.montages import canonical_name, nearest_names

_NET_NAME = re.compile(r"E(\d+)")
_OTHER_NETS = (32, 64)
"""Sizes of HydroCel nets that are smaller than HBN's and number their electrodes alike, in other places."""
_RUNNING_NUMBER = re.compile(r"(.+)-\d+")
_FEWEST_POSITIONS = 8  # a sphere through fewer electrodes is a guess


class NoElectrodes(BrokenRecording):
    """No channel of a file is known to be an electrode."""


def electrodes(labels: Iterable[str]) -> dict[str, str]:
    """Return the canonical name of each label that is an electrode, in the order of the labels.

    Two kinds of labels are no electrodes of the HBN net although they look like it: ``E1`` and ``E2`` beside
    10-20 names are the eyes (as sleep laboratories name them), and the numbers of a HydroCel net of another
    size belong to other places.

    Raises
    ------
    NoElectrodes
        If no label is an electrode.
    BrokenRecording
        If two are the same one.
    """
    labels = list(labels)
    named = {label: name for label in labels if (name := canonical_name(label)) is not None}
    net = {label: name for label, name in named.items() if _NET_NAME.fullmatch(name)}
    others = _of_another_net(labels)
    if others or set(named.values()) - set(net.values()) - {"Cz"}:
        named = {label: name for label, name in named.items() if label not in net}
    if not named or (others and set(named.values()) == {"Cz"}):
        raise NoElectrodes(f"no EEG channel: {others or 'none of its labels is a known electrode'}")
    names = [named[label] for label in labels if label in named] + _made_unique(labels)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BrokenRecording(f"electrode {', '.join(twice)} appears twice")
    return named


def edf_electrodes(header: EdfHeader) -> tuple[dict[str, str], float]:
    """Return the electrodes of an EDF or BDF file, as :func:`electrodes`, and their sampling rate in Hz.

    Channels that are no electrodes may have other rates and units.

    Raises
    ------
    BrokenRecording
        As :func:`electrodes` and the contract of :mod:`~cerebro.recordings.contract`.
    """
    own = keep_voltages(electrodes(header.labels), dict(zip(header.labels, header.units, strict=True)))
    chosen = [index for index, label in enumerate(header.labels) if label in own]
    sfreq = refuse_times(
        n_times=header.records * header.samples[chosen[0]],
        rates=(header.samples[index] / header.record_seconds for index in chosen),
    )
    refuse_constant({header.labels[index]: header.scale(index)[0] for index in chosen})
    return own, sfreq


def electrodes_by_position(raw: mne.io.BaseRaw) -> dict[str, str]:
    """Name EEG channels after the places of the 10-05 system that they lie next to.

    For files whose labels tell nothing but that carry measured or template positions.

    Raises
    ------
    NoElectrodes
        If fewer than eight EEG channels have a position, or none lies near a known place.
    """
    picks = mne.pick_types(raw.info, meg=False, eeg=True, exclude=())
    places = {raw.ch_names[pick]: raw.info["chs"][pick]["loc"][:3] for pick in picks}
    placed = {label: place for label, place in places.items() if np.isfinite(place).all() and place.any()}
    if len(placed) < _FEWEST_POSITIONS:
        raise NoElectrodes("it holds no positions of EEG channels")
    names = nearest_names(np.array(list(placed.values())))
    found = {label: name for label, name in zip(placed, names, strict=True) if name is not None}
    if not found:
        raise NoElectrodes("its positions are not those of electrodes")
    return found


def _of_another_net(labels: list[str]) -> str:
    """Why numbered electrodes are not those of the HBN net, empty if they may be."""
    numbers = {int(match[1]) for label in labels if (match := _NET_NAME.fullmatch(label.strip()))}
    if numbers and max(numbers) > 129:
        return f"its E{max(numbers)} belongs to a larger net than the HydroCel-129, with other places"
    for size in _OTHER_NETS:
        if numbers and numbers - {size + 1} == set(range(1, size + 1)):
            return f"E1 to E{size} are a HydroCel-{size}, whose numbers lie in other places than the 129's"
    return ""


def _made_unique(labels: list[str]) -> list[str]:
    """Electrodes that MNE told apart by running numbers (``Fp1-0``, ``Fp1-1``), once per channel."""
    names = []
    for label in labels:
        match = _RUNNING_NUMBER.fullmatch(label)
        if match and canonical_name(label) is None and (name := canonical_name(match[1])) is not None:
            names.append(name)
    return [name for name in names if names.count(name) > 1]
