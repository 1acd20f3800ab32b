"""Open a raw file of any supported format with its EEG channels under canonical names."""

from collections.abc import Iterable
from pathlib import Path

import mne

from cerebro.recordings.edf import read_edf_header
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
        own = electrodes(raw.ch_names)
    elif suffix in ("edf", "bdf"):
        # Only electrodes are read: MNE would resample the whole file to the fastest channel, EEG or not.
        own = electrodes(read_edf_header(path).labels)
        read = mne.io.read_raw_bdf if suffix == "bdf" else mne.io.read_raw_edf
        raw = read(path, include=list(own), preload=False, encoding="latin1", verbose="error")
    else:
        raise ValueError(f"unknown format '{suffix}'; known: {', '.join(FORMATS)}")
    raw.pick(list(own), verbose="error")
    raw.rename_channels(own, verbose="error")
    raw.set_channel_types(dict.fromkeys(raw.ch_names, "eeg"), verbose="error")
    return raw


def electrodes(labels: Iterable[str]) -> dict[str, str]:
    """Return the canonical name of each label that is an electrode, in the order of the labels.

    Raises
    ------
    ValueError
        If no label is an electrode, or two are the same one.
    """
    named = [(label, name) for label in labels if (name := canonical_name(label)) is not None]
    if not named:
        raise ValueError("no EEG channel: none of its labels is a known electrode")
    names = [name for _, name in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"electrode {', '.join(twice)} appears twice")
    return dict(named)
