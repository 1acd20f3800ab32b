"""Open a raw file of any supported format with its EEG channels under canonical names.

Inventory and shards open files here and nowhere else, so that both come to one verdict in the same words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import mne
import numpy as np
from mne._fiff.constants import FIFF

from cerebro.recordings.bids_positions import sidecar_positions
from cerebro.recordings.brainvision import brainvision_units, refuse_other_length
from cerebro.recordings.channel_tables import ChannelTable, read_channel_table
from cerebro.recordings.contract import VOLTS, keep_voltages, refuse_times
from cerebro.recordings.edf import EdfHeader, read_edf_header
from cerebro.recordings.edf_signals import RawEdf
from cerebro.recordings.eeglab import RawEeglab
from cerebro.recordings.electrodes import (
    edf_electrodes,
    eeg_labels,
    electrodes_by_any,
    left_out,
    of_scalp,
    positions_in_file,
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
    :func:`~cerebro.recordings.electrodes.electrodes`, or where labels tell nothing by positions, those of the
    sidecar before the file's. ``raw.info["bads"]`` names the channels that the sidecar calls bad.

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
        table, labels, units = read_channel_table(path), tuple(raw.ch_names), _units(path, raw)
        sources = (partial(sidecar_positions, path), partial(positions_in_file, raw))
        own = electrodes_by_any(of_scalp(eeg_labels(raw), table.kinds), sources)
        own = keep_voltages(own, units)
    file_says = [own[label] for label in raw.info["bads"] if label in own]
    bad = _bad(own, table) if table.judges else file_says
    rates = gdf_rates(raw) if suffix == "gdf" else dict.fromkeys(own, raw.info["sfreq"])
    refuse_times(n_times=raw.n_times, rates=(rates[label] for label in own))
    raw.info["bads"] = []  # which MNE renames otherwise than it picks
    raw.pick(list(own), verbose="error")
    raw.rename_channels(own, verbose="error")
    raw.set_channel_types(dict.fromkeys(raw.ch_names, "eeg"), verbose="error")
    raw.info["bads"] = bad
    return raw, left_out(of_scalp(labels, table.kinds), own)


@dataclass(frozen=True, kw_only=True)
class EdfContent:
    """What :func:`open_labelled` would open of an EDF or BDF file."""

    header: EdfHeader
    """The file's, with the sidecar's units where it states none."""
    own: Mapping[str, str]
    """Canonical names of its electrodes by their labels."""
    sfreq: float
    """Hz."""
    left_out: tuple[str, ...]
    """Labels that were not understood."""
    bad: list[str]
    """Canonical names of electrodes that the sidecar calls bad."""


def describe_edf(path: Path) -> EdfContent:
    """Say what :func:`open_labelled` would open of an EDF or BDF file; it raises the same."""
    with opening():
        _refuse_empty(path)
        header, table = read_edf_header(path), read_channel_table(path)
        units = zip(header.labels, header.units, strict=True)
        header = replace(
            header, units=tuple(unit or table.units.get(label.strip(), "") for label, unit in units)
        )
        labels = of_scalp(header.labels, table.kinds)
        own = electrodes_by_any(labels, [partial(sidecar_positions, path)])
    own, sfreq = edf_electrodes(header, own)
    return EdfContent(
        header=header, own=own, sfreq=sfreq, left_out=left_out(labels, own), bad=_bad(own, table)
    )


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


def _bad(own: Mapping[str, str], table: ChannelTable) -> list[str]:
    """Canonical names of the electrodes that a table calls bad."""
    return [name for label, name in own.items() if label.strip() in table.bad]


def _open_edf(path: Path) -> tuple[RawEdf, tuple[str, ...]]:
    found = describe_edf(path)
    header, own = found.header, found.own
    chosen = {index: own[label] for index, label in enumerate(header.labels) if label in own}
    volts = [VOLTS[header.units[index]] for index in chosen]
    raw = RawEdf(path, header, names=chosen, volts=volts, sfreq=found.sfreq)
    raw.info["bads"] = found.bad
    return raw, found.left_out


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
