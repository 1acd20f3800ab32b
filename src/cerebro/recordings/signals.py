"""Open a raw file of any supported format with its EEG channels under canonical names."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mne

from cerebro.recordings.channel_tables import other_kinds
from cerebro.recordings.companions import signals_beside
from cerebro.recordings.edf import read_edf_header
from cerebro.recordings.electrodes import (
    NoElectrodes,
    edf_electrodes,
    eeg_labels,
    electrodes,
    electrodes_by_position,
    left_out,
    of_scalp,
)
from cerebro.recordings.failures import is_of_the_disk
from cerebro.recordings.matlab import refuse_truncated
from cerebro.recordings.mne_formats import WrongFile, open_by_mne

FORMATS = ("set", "bdf", "edf", "vhdr", "fif", "gdf", "cnt")
"""Raw formats, by file suffix in any case: EEGLAB, BioSemi's 24-bit EDF, EDF, BrainVision, MNE's own, GDF and
Neuroscan."""

_MATLAB = (b"MATLAB", b"\x89HDF")

# Where all of a file is one variable (EEGLAB before 2021) MNE reads its signals to know its header: side by
# side that takes several times the memory and no less time.
_ONE_AT_A_TIME = threading.Lock()


def open_raw(path: Path) -> mne.io.BaseRaw:
    """Open a raw file, as :func:`open_labelled`."""
    return open_labelled(path)[0]


def open_labelled(path: Path) -> tuple[mne.io.BaseRaw, tuple[str, ...]]:
    """Open a raw file, and list the labels of its channels that were not understood and left out.

    Signals are in volts, as everywhere in MNE, and not loaded where MNE can do without. Only channels with a
    known place on the scalp remain: by their labels, see
    :func:`~cerebro.recordings.electrodes.electrodes`, or by the file's positions where labels tell nothing.

    Raises
    ------
    ValueError
        If the file is broken, no EEG channel remains, two channels are the same electrode, EEG channels have
        different sampling rates, or the format is unknown; the message says which.
    FileNotFoundError
        If the file, or the one beside it that holds its signals, is missing.
    OSError
        If the disk or the network fails, as :func:`~cerebro.recordings.failures.is_of_the_disk` tells.
    """
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise ValueError(f"unknown format '{suffix}'; known: {', '.join(FORMATS)}")
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    kinds = other_kinds(path)
    if suffix in ("edf", "bdf"):
        raw, own, labels = _open_edf(path, suffix, kinds)
    else:
        raw = _open_eeglab(path) if suffix == "set" else _read(open_by_mne, path)
        labels = tuple(raw.ch_names)
        eeg = of_scalp(eeg_labels(raw), kinds)
        try:
            own = electrodes(eeg)
        except NoElectrodes as by_label:
            try:
                own = electrodes_by_position(raw, eeg)
            except NoElectrodes as by_position:
                raise ValueError(f"{by_label}, and {by_position}") from None
    raw.pick(list(own), verbose="error")
    raw.rename_channels(own, verbose="error")
    raw.set_channel_types(dict.fromkeys(raw.ch_names, "eeg"), verbose="error")
    return raw, left_out(of_scalp(labels, kinds), own)


def source_files(path: Path, raw: mne.io.BaseRaw) -> list[Path]:
    """All files that an opened recording consists of, the one that was opened first."""
    beside = {Path(name) for name in raw.filenames if name is not None}
    return [path, *sorted(file for file in beside if file.resolve() != path.resolve())]


def _open_edf(
    path: Path, suffix: str, kinds: Mapping[str, str]
) -> tuple[mne.io.BaseRaw, dict[str, str], tuple[str, ...]]:
    header = read_edf_header(path)
    own, _ = edf_electrodes(header, kinds)
    # Only electrodes are read: MNE would resample the whole file to the fastest channel, EEG or not.
    read = mne.io.read_raw_bdf if suffix == "bdf" else mne.io.read_raw_edf
    return _read(read, path, include=list(own), encoding="latin1"), own, header.labels


def _open_eeglab(path: Path) -> mne.io.BaseRaw:
    with path.open("rb") as stream:
        if not stream.read(8).startswith(_MATLAB):
            raise ValueError("not an EEGLAB file (wrong first bytes)")
    refuse_truncated(path)
    signals = signals_beside(path)
    with _ONE_AT_A_TIME:
        if signals is None and path.suffix == ".set":
            raw = _read(mne.io.read_raw_eeglab, path)
        else:
            # MNE opens whatever file the header names: where it looks lies none but the recording's own.
            with TemporaryDirectory() as folder:
                alone = Path(folder, f"{path.stem}.set")
                alone.symlink_to(path.absolute())
                if signals is not None:
                    alone.with_suffix(".fdt").symlink_to(signals.absolute())
                raw = _read(mne.io.read_raw_eeglab, alone)
                inside = Path(raw.filenames[0] or path) == alone
                if inside:
                    raw.load_data(verbose="error")
            raw.filenames = [path if inside or signals is None else signals]
    for beside in source_files(path, raw)[1:]:
        if signals is None or beside.resolve() != signals.resolve():
            raise WrongFile(
                f"its header names {beside.name} for its signals, and {path.stem}.fdt is not there"
            )
        # Single precision, channel by channel; MNE notices only when it reads.
        if beside.stat().st_size < 4 * raw.n_times * len(raw.ch_names):
            raise ValueError(f"truncated: {beside.name} holds fewer samples than {path.name} promises")
    return raw


def _read(reader: Callable[..., mne.io.BaseRaw], path: Path, **options: Any) -> mne.io.BaseRaw:
    try:
        with mne.use_log_level("error"):
            return reader(path, **options)
    except (MemoryError, WrongFile):
        raise
    except Exception as error:
        if is_of_the_disk(error):
            raise
        # Broken files make MNE and SciPy raise anything at all, in words that need a context.
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"broken or truncated: MNE cannot read it ({said})") from error
