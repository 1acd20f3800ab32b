"""Which channels of a file are electrodes, and which: by all of its labels, else by its own positions.

All labels of a file are held against each system that is known, and the one that explains them is taken.
"""

import re
from collections.abc import Callable, Iterable, Mapping

import mne
import numpy as np

from cerebro.recordings.contract import keep_voltages, refuse_constant, refuse_times
from cerebro.recordings.edf import EdfHeader
from cerebro.recordings.failures import BrokenRecording, reading
from cerebro.recordings.label_systems import EYES, Reading, biosemi, hydrocel, ten_five
from cerebro.recordings.montages import bare_label, canonical_name, nearest_names
from cerebro.recordings.other_channels import is_other_channel

_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
_RUNNING_NUMBER = re.compile(r"(.+)-\d+")
_FEWEST_NAMED = 0.5
"""Share of the channels with a position that must lie near a known place."""
_FEWEST_POSITIONS = 8  # a sphere through fewer electrodes is a guess


class NoElectrodes(BrokenRecording):
    """The channels of a file are not known to be electrodes."""


def electrodes(labels: Iterable[str]) -> dict[str, str]:
    """Return the canonical name of each label that is an electrode, in the order of the labels.

    Known are the 10-20, 10-10 and 10-05 systems with old names (``T3``) and earlobes, the HydroCel net of 128
    electrodes (``E1``, ``E001``), and BioSemi's caps by letters (``A1`` to ``H32``). The system that explains
    the largest share of the labels is the file's; what it does not explain is left out, see :func:`left_out`.
    ``E1`` and ``E2`` beside 10-20 names are the eyes, as sleep laboratories name them.

    Raises
    ------
    NoElectrodes
        If no system explains half of the labels, or those that it explains may as well be something else:
        a smaller HydroCel net, the contacts of implanted electrodes.
    BrokenRecording
        If two are the same electrode.
    """
    labels = list(labels)
    others = {label: bare_label(label) for label in labels if is_other_channel(label)}
    bare = {label: bare_label(label) for label in labels if label not in others}
    readings = (ten_five(bare, others), hydrocel(bare), biosemi(bare, labels))
    best = max(readings, key=lambda reading: (reading.is_sound, reading.share, len(reading.names)))
    if not best.is_sound:
        raise NoElectrodes(_refusal(best, list(bare)))
    names = [best.names[label] for label in labels if label in best.names] + _made_unique(labels)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BrokenRecording(f"electrode {', '.join(twice)} appears twice")
    return dict(best.names)


def left_out(labels: Iterable[str], own: Mapping[str, str]) -> tuple[str, ...]:
    """Return the labels that are neither among a file's electrodes nor known to be something else."""
    return tuple(
        label
        for label in labels
        if label not in own and not is_other_channel(label) and bare_label(label) not in EYES
    )


def listed(labels: Iterable[str]) -> str:
    """List labels, running numbers drawn together: ``A3 to A32, Fp9``."""
    runs: list[list[str]] = []
    for label in labels:
        if runs and label == _next(runs[-1][-1]):
            runs[-1].append(label)
        else:
            runs.append([label])
    return ", ".join(label for run in runs for label in (run if len(run) < 3 else [f"{run[0]} to {run[-1]}"]))


def edf_electrodes(header: EdfHeader, own: Mapping[str, str]) -> tuple[dict[str, str], float]:
    """Return which electrodes of an EDF or BDF file are voltages, and their sampling rate in Hz.

    Channels that are no electrodes may have other rates and units.

    Parameters
    ----------
    header
        The file's.
    own
        Canonical names of its electrodes by their labels.

    Raises
    ------
    BrokenRecording
        By the contract of :mod:`~cerebro.recordings.contract`.
    """
    own = keep_voltages(own, dict(zip(header.labels, header.units, strict=True)))
    chosen = [index for index, label in enumerate(header.labels) if label in own]
    sfreq = refuse_times(
        n_times=header.records * header.samples[chosen[0]],
        rates=(header.samples[index] / header.record_seconds for index in chosen),
    )
    refuse_constant({header.labels[index]: header.scale(index)[0] for index in chosen})
    return own, sfreq


def of_scalp(labels: Iterable[str], kinds: Mapping[str, str]) -> list[str]:
    """Return the labels that are not said to be of another kind than EEG.

    Raises
    ------
    NoElectrodes
        If there are none, as in a recording from within the brain.
    """
    labels = list(labels)
    own = [label for label in labels if label.strip() not in kinds]
    if labels and not own:
        stated = ", ".join(sorted({kinds[label.strip()] for label in labels}))
        raise NoElectrodes(f"no EEG channel: its channels are said to be {stated}")
    return own


def eeg_labels(raw: mne.io.BaseRaw) -> list[str]:
    """Return the labels of the channels that an opened file does not call something else than EEG.

    What MNE calls `misc` is of no kind that it knows, or of no unit.

    Raises
    ------
    NoElectrodes
        If there are none, as in a recording from within the brain.
    BrokenRecording
        If a kind is none that MNE knows.
    """
    with reading("MNE"):  # a broken header may state a kind that there is not
        types = raw.get_channel_types()
    kinds = dict(zip(raw.ch_names, types, strict=True))
    return of_scalp(
        kinds, {label.strip(): kind for label, kind in kinds.items() if kind not in ("eeg", "misc")}
    )


def electrodes_by_position(labels: Iterable[str], places: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Name these EEG channels after the places that they lie next to, see :func:`~.montages.nearest_names`.

    For recordings whose labels tell nothing but that have measured or template positions.

    Parameters
    ----------
    labels
        Of the EEG channels.
    places
        Positions by label, shape (3,): x to the right, y to the front, z up, any unit and origin.

    Raises
    ------
    NoElectrodes
        If fewer than eight EEG channels have a position, or less than half of these lie near a known place.
    """
    placed = {label: places[label.strip()] for label in labels if label.strip() in places}
    if len(placed) < _FEWEST_POSITIONS:
        raise NoElectrodes(f"only {len(placed)} of its EEG channels have a position")
    names = nearest_names(np.array(list(placed.values())))
    found = {label: name for label, name in zip(placed, names, strict=True) if name is not None}
    if len(found) < _FEWEST_NAMED * len(placed):
        raise NoElectrodes("its positions are not those of electrodes around a head")
    return found


def positions_in_file(raw: mne.io.BaseRaw) -> dict[str, np.ndarray]:
    """Return the positions that an opened file gives of its channels, shape (3,) by label.

    Raises
    ------
    NoElectrodes
        If it gives none.
    """
    places = {channel["ch_name"].strip(): channel["loc"][:3] for channel in raw.info["chs"]}
    placed = {label: place for label, place in places.items() if np.isfinite(place).all() and place.any()}
    if not placed:
        raise NoElectrodes("it holds no positions of EEG channels")
    return placed


def electrodes_by_any(
    labels: Iterable[str], sources: Iterable[Callable[[], Mapping[str, np.ndarray] | None]]
) -> dict[str, str]:
    """Name EEG channels by their labels, else by the first positions that name them.

    Parameters
    ----------
    labels
        Of the EEG channels.
    sources
        What finds positions, in the order in which they are asked for; None where there are none.

    Raises
    ------
    BrokenRecording
        With what each of them lacks, or if two channels are the same electrode.
    """
    labels = list(labels)
    try:
        return electrodes(labels)
    except NoElectrodes as error:
        refusals = [str(error)]
    for find in sources:
        try:
            if (places := find()) is not None:
                return electrodes_by_position(labels, places)
        except NoElectrodes as error:
            refusals.append(str(error))
    raise NoElectrodes(", and ".join(refusals))


def _refusal(best: Reading, labels: list[str]) -> str:
    """Say why no system is the file's, with the labels that were not understood."""
    unknown = labels
    if best.explains_most:
        why = best.doubt
    elif best.names and not best.doubt:
        why = f"only {len(best.names)} of its {len(labels)} labels are known electrodes"
        unknown = [label for label in labels if label not in best.names]
    else:
        why = "none of its labels is a known electrode"
    return f"no EEG channel: {why}" + (f" (not understood: {listed(unknown)})" if unknown else "")


def _next(label: str) -> str:
    """The label with the next number."""
    return _LAST_NUMBER.sub(lambda match: str(int(match[0]) + 1).zfill(len(match[0])), label, count=1)


def _made_unique(labels: list[str]) -> list[str]:
    """Electrodes that MNE told apart by running numbers (``Fp1-0``, ``Fp1-1``), once per channel."""
    names = []
    for label in labels:
        match = _RUNNING_NUMBER.fullmatch(label)
        if match and canonical_name(label) is None and (name := canonical_name(match[1])) is not None:
            names.append(name)
    return [name for name in names if names.count(name) > 1]
