"""Find recordings in any folder of EEG files: no sidecars, no labels, no layout.

The subject is the first part of a file's name (``anna`` in ``anna_rest.edf`` and ``anna.edf``); folders below
the root become part of the recording's name.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cerebro.recordings.folders import subject_of_file, walk_files
from cerebro.recordings.recording import Recording
from cerebro.recordings.signals import FORMATS


def scan(roots: Sequence[Path]) -> Iterator[Recording]:
    """Yield every file of a known format below ``roots``, headers unread."""
    for root in roots:
        for path in walk_files([root]):
            if path.suffix.lower().lstrip(".") in FORMATS:
                folders = path.relative_to(root).parent.parts
                yield Recording(
                    path=path,
                    subject=subject_of_file(path, "files"),
                    name=(*folders, path.stem),
                    reference="unknown",
                )
