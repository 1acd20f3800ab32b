"""Open a raw file of any supported format with its EEG channels under canonical names."""

import re
from pathlib import Path

import mne

from cerebro.recordings.montages import canonical_name

FORMATS = ("set", "bdf", "edf")
"""Raw formats, by file suffix: EEGLAB, BioSemi's 24-bit EDF, EDF."""


def open_raw(path: Path) -> mne.io.BaseRaw:
    """Open a raw file; signals are in volts, as everywhere in MNE, and are not loaded.

    Only channels with a known place on the scalp remain, see
    :func:`~cerebro.recordings.montages.canonical_name`.

    Raises
    ------
    ValueError
        If no EEG channel remains, two channels are the same electrode, or the format is unknown. Whatever
        MNE raises on a broken file passes through.
    """
    suffix = path.suffix.lower().lstrip(".")
    if suffix == "set":
        raw = mne.io.read_raw_eeglab(path, preload=False, verbose="error")
        electrodes = _electrodes(raw.ch_names)
    elif suffix in ("edf", "bdf"):
        # Only electrodes are read: MNE would resample the whole file to the fastest channel, EEG or not.
        electrodes = _electrodes(edf_header(path)[1])
        read = mne.io.read_raw_bdf if suffix == "bdf" else mne.io.read_raw_edf
        raw = read(path, include=list(electrodes), preload=False, encoding="latin1", verbose="error")
    else:
        raise ValueError(f"unknown format '{suffix}'; known: {', '.join(FORMATS)}")
    raw.pick(list(electrodes), verbose="error")
    raw.rename_channels(electrodes, verbose="error")
    raw.set_channel_types(dict.fromkeys(raw.ch_names, "eeg"), verbose="error")
    return raw


def edf_header(path: Path) -> tuple[str, list[str]]:
    """Return the patient field and the channel labels of an EDF or BDF file.

    The layout is the European Data Format's (Kemp et al. 1992, https://www.edfplus.info/specs/edf.html):
    80 characters of patient at byte 8, the number of signals at byte 252, 16 characters of label each from
    byte 256.

    Raises
    ------
    ValueError
        If the file is too short or doesn't state its number of signals.
    """
    with path.open("rb") as stream:
        fixed = stream.read(256)
        count = fixed[252:256].strip()
        if not re.fullmatch(rb"\d+", count):
            raise ValueError("not an EDF or BDF file: its header states no number of signals")
        labels = stream.read(16 * int(count)).decode("latin1")
    if len(labels) < 16 * int(count):
        raise ValueError("truncated within its header")
    return fixed[8:88].decode("latin1").strip(), [
        labels[start : start + 16].strip() for start in range(0, len(labels), 16)
    ]


def _electrodes(labels: list[str]) -> dict[str, str]:
    named = [(label, name) for label in labels if (name := canonical_name(label)) is not None]
    if not named:
        raise ValueError("no EEG channel: none of its labels is a known electrode")
    names = [name for _, name in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"electrode {', '.join(twice)} appears twice")
    return dict(named)
