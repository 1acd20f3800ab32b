"""BrainVision, FIF, GDF and Neuroscan files, as MNE opens them: each with the signals of its own name."""

from pathlib import Path
from tempfile import TemporaryDirectory

import mne

from cerebro.recordings.companions import recording_of, signals_beside
from cerebro.recordings.failures import BrokenRecording, reading

_NEUROSCAN = b"Version 3"


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
        if not stream.read(len(_NEUROSCAN)).startswith(_NEUROSCAN):
            raise BrokenRecording(
                "a .cnt file that is not Neuroscan's (ANT Neuro writes others of this name) can't be read: "
                "export it as EDF or BrainVision"
            )
    with reading("MNE"):
        return mne.io.read_raw_cnt(path, verbose="warning")
