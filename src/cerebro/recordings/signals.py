"""Open a raw file of any supported format with its EEG channels under canonical names.

Inventory and shards open files here and nowhere else, so that both come to one verdict in the same words.
"""

from collections.abc import Sequence
from pathlib import Path

import mne
import numpy as np
from mne._fiff.constants import FIFF

from cerebro.recordings.brainvision import brainvision_units, refuse_other_length
from cerebro.recordings.channel_tables import other_kinds
from cerebro.recordings.contract import VOLTS, keep_voltages, refuse_times
from cerebro.recordings.edf import EdfHeader, read_edf_header
from cerebro.recordings.edf_signals import RawEdf
from cerebro.recordings.eeglab import RawEeglab
from cerebro.recordings.electrodes import (
    NoElectrodes,
    edf_electrodes,
    eeg_labels,
    electrodes,
    electrodes_by_position,
    left_out,
    of_scalp,
)
from cerebro.recordings.failures import BrokenRecording, opening, reading
from cerebro.recordings.fif import refuse_truncated_fif
from cerebro.recordings.gdf import gdf_rates, gdf_units, refuse_gdf_without_scale, refuse_short_gdf
from cerebro.recordings.mne_formats import open_by_mne

FORMATS = ("set", "bdf", "edf", "vhdr", "fif", "gdf", "cnt")
"""Raw formats, by file suffix in any case: EEGLAB, BioSemi's 24-bit EDF, EDF, BrainVision, MNE's own, GDF and
Neuroscan."""


def open_raw(path: Path) -> mne.io.BaseRaw:
    """Open a raw file, as :func:`open_labelled`."""
    return open_labelled(path)[0]


def open_labelled(path: Path) -> tuple[mne.io.BaseRaw, tuple[str, ...]]:
    """Open a raw file, and list the labels of its channels that were not understood and left out.

    Signals are in volts, as everywhere in MNE, and not loaded where MNE can do without. Only channels with a
    known place on the scalp and a unit of voltage remain: by their labels, see
    :func:`~cerebro.recordings.electrodes.electrodes`, or by the file's positions where labels tell nothing.

    Raises
    ------
    BrokenRecording
        If the file is broken, or does not keep the contract of :mod:`~cerebro.recordings.contract`.
    FileNotFoundError
        If the file, or the one beside it that holds its signals, is missing.
    OSError
        If the disk or the network fails, as :func:`~cerebro.recordings.failures.is_of_the_disk` tells.
    """
    with opening():
        suffix = path.suffix.lower().lstrip(".")
        if suffix not in FORMATS:
            raise BrokenRecording(f"unknown format '{suffix}'; known: {', '.join(FORMATS)}")
        if suffix in ("edf", "bdf"):
            return _open_edf(path)
        _refuse_empty(path)
        raw = RawEeglab(path) if suffix == "set" else _open_by_mne(path)
        kinds, labels, units = other_kinds(path), tuple(raw.ch_names), _units(path, raw)
        own = keep_voltages(_electrodes(raw, of_scalp(eeg_labels(raw), kinds)), units)
    rates = gdf_rates(raw) if suffix == "gdf" else dict.fromkeys(own, raw.info["sfreq"])
    refuse_times(n_times=raw.n_times, rates=(rates[label] for label in own))
    raw.pick(list(own), verbose="error")
    raw.rename_channels(own, verbose="error")
    raw.set_channel_types(dict.fromkeys(raw.ch_names, "eeg"), verbose="error")
    return raw, left_out(of_scalp(labels, kinds), own)


def describe_edf(path: Path) -> tuple[EdfHeader, dict[str, str], float, tuple[str, ...]]:
    """Say what :func:`open_labelled` would open of an EDF or BDF file.

    Returns
    -------
    header : EdfHeader
    own : dict of str to str
        Canonical names of its electrodes by their labels.
    sfreq : float
        Hz.
    left_out : tuple of str
        Labels that were not understood.
    """
    with opening():
        _refuse_empty(path)
        header, kinds = read_edf_header(path), other_kinds(path)
    own, sfreq = edf_electrodes(header, kinds)
    return header, own, sfreq, left_out(of_scalp(header.labels, kinds), own)


def read_signals(raw: mne.io.BaseRaw, picks: Sequence[int] | np.ndarray) -> np.ndarray:
    """Read channels of an opened recording, shape (n_chans, n_times), volts.

    Raises
    ------
    BrokenRecording
        If the file can't be read to its end, or a sample is not finite.
    OSError
        As :func:`open_raw`.
    """
    own = isinstance(raw, RawEdf | RawEeglab)  # whose faults are this package's, not the file's
    with opening() if own else reading("MNE"):
        signals = raw.get_data(picks=picks, verbose="error")
    if not (finite := np.isfinite(signals).all(axis=1)).all():
        broken = [raw.ch_names[pick] for pick in np.asarray(picks)[~finite]]
        raise BrokenRecording(f"samples that are not finite in {', '.join(broken[:5])}")
    return signals


def source_files(path: Path, raw: mne.io.BaseRaw) -> list[Path]:
    """All files that an opened recording consists of, the one that was opened first."""
    beside = {Path(name) for name in raw.filenames if name is not None}
    return [path, *sorted(file for file in beside if file.resolve() != path.resolve())]


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise BrokenRecording("the file is empty")


def _electrodes(raw: mne.io.BaseRaw, labels: list[str]) -> dict[str, str]:
    try:
        return electrodes(labels)
    except NoElectrodes as by_label:
        try:
            return electrodes_by_position(raw, labels)
        except NoElectrodes as by_position:
            raise BrokenRecording(f"{by_label}, and {by_position}") from None


def _open_edf(path: Path) -> tuple[RawEdf, tuple[str, ...]]:
    header, own, sfreq, unknown = describe_edf(path)
    chosen = {index: own[label] for index, label in enumerate(header.labels) if label in own}
    volts = [VOLTS[header.units[index]] for index in chosen]
    return RawEdf(path, header, names=chosen, volts=volts, sfreq=sfreq), unknown


def _open_by_mne(path: Path) -> mne.io.BaseRaw:
    if path.suffix.lower() == ".gdf":
        refuse_short_gdf(path)
    raw = open_by_mne(path)
    match path.suffix.lower():
        case ".vhdr":
            refuse_other_length(path, raw)
        case ".fif":
            refuse_truncated_fif(raw)
        case ".gdf":
            refuse_gdf_without_scale(raw)
    return raw


def _units(path: Path, raw: mne.io.BaseRaw) -> dict[str, str]:
    """The unit of each channel, by the file where MNE keeps it to itself."""
    match path.suffix.lower():
        case ".vhdr":
            return dict(zip(raw.ch_names, brainvision_units(path), strict=True))
        case ".gdf":
            return dict(zip(raw.ch_names, gdf_units(path), strict=True))
    return {
        channel["ch_name"]: "V"
        if channel["unit"] == FIFF.FIFF_UNIT_V and channel["unit_mul"] == FIFF.FIFF_UNITM_NONE
        else f"{channel['unit']!r} times {channel['unit_mul']!r}"
        for channel in raw.info["chs"]
    }
