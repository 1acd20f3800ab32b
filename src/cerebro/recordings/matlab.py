"""MATLAB files, as EEGLAB writes them: held against their size without reading their signals.

What is read of a file need not come to its end: EEGLAB 2021 and later write each field as a variable of its
own, and SciPy passes over those that it is not asked for. The layout is level 5 of the "MAT-File Format"
(https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf); HDF5 (version 7.3) notices by itself.
"""

import struct
from pathlib import Path

from cerebro.recordings.failures import BrokenRecording

_HEADER_BYTES, _TAG_BYTES = 128, 8
_LEVEL_5 = {b"\x00\x01IM": "<II", b"\x01\x00MI": ">II"}
"""Type and length of a variable, by the header's version and order of bytes."""


def refuse_truncated(path: Path) -> None:
    """Follow the variables of a MATLAB 5 file to its end, by their lengths.

    Raises
    ------
    BrokenRecording
        If the last one is longer than the file.
    """
    size, end = path.stat().st_size, _HEADER_BYTES
    with path.open("rb") as stream:
        layout = _LEVEL_5.get(stream.read(_HEADER_BYTES)[-4:])
        while layout is not None and end + _TAG_BYTES <= size:
            stream.seek(end)
            end += _TAG_BYTES + struct.unpack(layout, stream.read(_TAG_BYTES))[1]
    if layout is not None and end > size:
        raise BrokenRecording(f"truncated: its variables take {end} bytes, the file holds {size}")
