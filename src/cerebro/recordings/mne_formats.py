"""BrainVision, FIF, GDF and Neuroscan files, as MNE opens them: each with the signals of its own name."""

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import mne

from cerebro.recordings.companions import recording_of, signals_beside
from cerebro.recordings.contract import refuse_lost
from cerebro.recordings.failures import BrokenRecording, reading

_NEUROSCAN = b"Version 3"
_SETUP, _ELECTRODE = 900, 75
"""Bytes of a Neuroscan header, and of each electrode's part behind it (https://paulbourke.net/dataformats/eeg/)."""


def open_by_mne(path: Path) -> mne.io.BaseRaw:
    """Open a file with all its channels, signals in volts and not loaded.

    Raises
    ------
    BrokenRecording
        If MNE can't read it, its signals would be those of another recording, or it is no Neuroscan file but
        has the name of one.
    """
    match path.suffix.lower():
        case ".vhdr":
            return _open_brainvision(path)
        case ".cnt":
            return _open_neuroscan(path)
        case _:
            with reading("MNE"):
                return mne.io.read_raw(path, preload=False, verbose="warning")


def _open_brainvision(path: Path) -> mne.io.BaseRaw:
    signals = signals_beside(path)
    # Markers are not read: events come from the table beside a recording.
    overrides = {"marker_fname": False} | ({} if signals is None else {"data_fname": str(signals.absolute())})
    with TemporaryDirectory() as folder:
        header = path
        if path.suffix != ".vhdr":  # MNE knows none by another case
            header = Path(folder, f"{path.stem}.vhdr")
            header.symlink_to(path.absolute())
        with reading("MNE"):
            raw = mne.io.read_raw_brainvision(header, overrides=overrides, verbose="warning")
    named = Path(raw.filenames[0] or path)
    if signals is None and recording_of(named) is not None:
        raise BrokenRecording(
            f"its header names {named.name} for its signals, and {path.stem}.eeg is not there"
        )
    return raw


def _open_neuroscan(path: Path) -> mne.io.BaseRaw:
    with path.open("rb") as stream:
        header = stream.read(_SETUP)
    if not header.startswith(_NEUROSCAN):
        raise BrokenRecording(
            "a .cnt file that is not Neuroscan's (ANT Neuro writes others of this name) can't be read: "
            "export it as EDF or BrainVision"
        )
    if len(header) == _SETUP:
        _refuse_lost_samples(path, header)
    with reading("MNE"):
        return mne.io.read_raw_cnt(path, verbose="warning")


def _refuse_lost_samples(path: Path, header: bytes) -> None:
    """Compare the file's size with its header's number of samples; MNE asks whether the header agrees.

    The table of events follows the signals, so that its place says how many bytes a sample takes.
    """
    (n_chans,), (n_times,), (events,) = (
        struct.unpack_from(kind, header, place) for kind, place in (("<H", 370), ("<i", 864), ("<i", 886))
    )
    signals = _SETUP + _ELECTRODE * n_chans
    for sample in (2, 4):
        if n_times > 0 and events - signals == n_times * n_chans * sample:
            held = (path.stat().st_size - signals) // (n_chans * sample)
            refuse_lost(path.name, held=max(0, held), promised=n_times)
