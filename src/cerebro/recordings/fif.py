"""MNE's own files (`.fif`): whether a file comes to its end, which MNE does not ask.

A file is a chain of tags. It ends with a directory of them, to which its second tag points, or with an empty
tag that says that no other follows; MNE reads what is there of a chain that breaks off.
"""

import struct
from pathlib import Path

import mne

from cerebro.recordings.failures import BrokenRecording

_TAG_BYTES = 16  # kind, type, size of what follows, place of the next tag
_DIRECTORY_POINTER_AT = 52
_END = struct.pack(">4i", 108, 0, 0, -1)


def refuse_truncated_fif(raw: mne.io.BaseRaw) -> None:
    """Refuse a recording of which a file breaks off.

    Raises
    ------
    BrokenRecording
        Naming the file.
    """
    for file, layout in zip(map(Path, raw.filenames), raw._raw_extras, strict=True):
        size = file.stat().st_size
        entries = [entry for entry in layout["ent"] if entry is not None]  # MNE offers no other way to them
        end = max(entry.pos + _TAG_BYTES + entry.size for entry in entries)
        if end > size:
            raise BrokenRecording(f"truncated: the samples of {file.name} take {end} bytes, it holds {size}")
        with file.open("rb") as stream:
            stream.seek(_DIRECTORY_POINTER_AT)
            (directory,) = struct.unpack(">i", stream.read(4))
            stream.seek(-len(_END), 2)
            is_ended = stream.read() == _END
        if directory + _TAG_BYTES > size or (directory <= 0 and not is_ended):
            raise BrokenRecording(f"truncated: {file.name} breaks off after {size} bytes")
