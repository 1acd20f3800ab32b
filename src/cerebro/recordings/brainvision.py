"""BrainVision headers (`.vhdr`): what they say of channels and length, held against the file of signals.

MNE opens these files; it takes units that it does not know for volts, leaves channels out that the header
does not count, and goes by the size of the file of signals alone. The format is "BrainVision Core Data Format
1.0"
(https://www.brainproducts.com/support-resources/brainvision-core-data-format-1-0/).
"""

import configparser
from pathlib import Path

import mne

from cerebro.recordings.contract import refuse_lost
from cerebro.recordings.failures import BrokenRecording

_SAMPLE_BYTES = {"INT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}


def refuse_other_length(path: Path, raw: mne.io.BaseRaw) -> None:
    """Refuse a header that names other channels than it counts, or other samples than there are.

    Parameters
    ----------
    path
        The header.
    raw
        As MNE opened it, with all its channels.

    Raises
    ------
    BrokenRecording
        Naming both numbers.
    """
    header = _read(path)
    common = header["Common Infos" if "Common Infos" in header else "Common infos"]
    named, n_chans = len(header["Channel Infos"]), common.getint("NumberOfChannels")
    if named != n_chans:
        raise BrokenRecording(f"its header states {n_chans} channels and names {named}")
    signals, held = Path(raw.filenames[0] or path), float(raw.n_times)
    if common.get("DataFormat") == "BINARY":  # else text, of which MNE counts the lines
        held = signals.stat().st_size / (n_chans * _SAMPLE_BYTES[header["Binary Infos"]["BinaryFormat"]])
    promised = common.get("DataPoints", "").strip()
    if promised.isdecimal():
        refuse_lost(signals.name, held=held, promised=int(promised))
        if held > int(promised):
            raise BrokenRecording(f"its header states {promised} samples, {signals.name} holds {held:.10g}")
    elif held != int(held):
        raise BrokenRecording(f"truncated: {signals.name} holds {held:.10g} samples of {n_chans} channels")


def brainvision_units(path: Path) -> list[str]:
    """Return the unit of each channel; microvolts where the header leaves it out, as the format says."""
    fields = [line.split(",") for line in _read(path)["Channel Infos"].values()]
    return [field[3].strip().replace("Â", "") or "µV" if len(field) > 3 else "µV" for field in fields]


def _read(path: Path) -> configparser.ConfigParser:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:  # Windows' default, as MNE supposes too
        text = content.decode("latin1")
    header = configparser.ConfigParser(interpolation=None, strict=False)
    header.read_string(text.partition("\n")[2].partition("[Comment]")[0])
    return header
