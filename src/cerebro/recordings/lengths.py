"""The length that a header promises, held against the file that holds the samples.

For the formats that MNE opens; MNE itself notices only when it reads, or not at all.
"""

import configparser
from pathlib import Path

import mne

from cerebro.recordings.contract import refuse_lost
from cerebro.recordings.failures import BrokenRecording
from cerebro.recordings.gdf import refuse_short_gdf

_BRAINVISION_BYTES = {"int_16": 2, "int_32": 4, "ieee_float_32": 4}
_FIF_TAG_BYTES = 16


def refuse_other_length(path: Path, raw: mne.io.BaseRaw) -> None:
    """Refuse a recording whose header and samples disagree about how many there are.

    Parameters
    ----------
    path
        The file that was opened.
    raw
        As MNE opened it, with all its channels.

    Raises
    ------
    BrokenRecording
        Naming the file and the numbers.
    """
    match path.suffix.lower():
        case ".vhdr":
            _brainvision(path, raw)
        case ".fif":
            _fif(raw)
        case ".gdf":
            refuse_short_gdf(path, raw)


def _brainvision(path: Path, raw: mne.io.BaseRaw) -> None:
    content = path.read_bytes().decode("latin1").partition("\n")[2].partition("[Comment]")[0]
    header = configparser.ConfigParser(interpolation=None, strict=False)
    header.read_string(content)
    common = header["Common Infos" if "Common Infos" in header else "Common infos"]
    named, n_chans = len(header["Channel Infos"]), common.getint("NumberOfChannels")
    if named != n_chans:
        raise BrokenRecording(f"its header states {n_chans} channels and names {named}")
    if common.get("DataFormat") != "BINARY":
        return  # text: MNE counts its lines
    signals = Path(raw.filenames[0] or path)
    sample_bytes = _BRAINVISION_BYTES[header["Binary Infos"]["BinaryFormat"].lower()]
    held = signals.stat().st_size / (n_chans * sample_bytes)
    promised = int(common.get("DataPoints") or 0)
    refuse_lost(signals.name, held=held, promised=promised)
    if held != int(held):
        raise BrokenRecording(f"truncated: {signals.name} holds {held:.10g} samples of {n_chans} channels")
    if promised and held > promised:
        raise BrokenRecording(f"{signals.name} holds {held:.10g} samples, the header of {path.name} says {promised}")


def _fif(raw: mne.io.BaseRaw) -> None:
    for file, extra in zip(raw.filenames, raw._raw_extras, strict=True):
        size = Path(file or "").stat().st_size
        buffers = [entry for entry in extra["ent"] if entry is not None]
        end = max(entry.pos + _FIF_TAG_BYTES + entry.size for entry in buffers)
        if end > size:
            raise BrokenRecording(f"truncated: its samples take {end} bytes, the file holds {size}")
