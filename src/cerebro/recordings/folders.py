"""Walk archive folders in a fixed order, through symbolic links, each folder once."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

EVERYBODY = "*"
"""In place of a subject: a sidecar above the subjects' folders, which may say something of each of them."""

_SIDECARS = ("eeg", "channels", "electrodes", "coordsystem", "events")
_NO_RECORDINGS = frozenset({"derivatives", "sourcedata", "code", "stimuli"})


def walk_files(roots: Sequence[Path], formats: Sequence[str] = ("",)) -> Iterator[Path]:
    """Yield every file below ``roots`` in sorted order; hidden folders and BIDS derivatives are left out.

    ``formats`` are the ends of names to which the search is confined, in small letters, whatever the file's.
    Dangling links are yielded as well, so that readers can say what has not been downloaded.
    """
    seen: set[tuple[int, int]] = set()
    ends = tuple(formats)
    for root in roots:
        for name, folders, files in os.walk(root, followlinks=True):
            folder = Path(name)
            try:
                stat = folder.stat()
            except OSError:  # gone since its parent was listed
                folders.clear()
                continue
            identity = (stat.st_dev, stat.st_ino)
            if identity in seen:
                folders.clear()
                continue
            seen.add(identity)
            folders[:] = sorted(
                below for below in folders if not below.startswith(".") and below not in _NO_RECORDINGS
            )
            for file in sorted(files):
                if not file.startswith(".") and file.lower().endswith(ends):
                    yield folder / file


def folder_from_root(path: Path, roots: Sequence[Path]) -> str:
    """Return the path of a file's folder from the name of its root on, empty if it is below none."""
    for root in roots:
        if path.is_relative_to(root):
            return Path(root.name, path.parent.relative_to(root)).as_posix()
    return ""


def subject_of_file(path: Path, reader: str) -> str:
    """Say whose file this is by its name alone; empty for files of no subject, :data:`EVERYBODY` for sidecars
    that BIDS's inheritance hands on to subjects.

    Recordings and their sidecars begin with their subject in every archive that a built-in reader knows;
    what the names in other archives mean is unknown here, so that nobody is.
    """
    first, separator, _ = path.stem.partition("_")
    match reader:
        case "bids" | "hbn":
            if first.startswith("sub-"):
                return first if separator else ""
            return EVERYBODY if path.stem.rpartition("_")[2] in _SIDECARS else ""
        case "tuh":
            return first if separator else ""
        case "files":
            return first
        case _:
            return ""


def name_in_files(subject: str, reader: str) -> str:
    """Return how files name a subject: without the dataset that :mod:`~cerebro.recordings.bids` may add."""
    return subject.rpartition("_")[2] if reader == "bids" else subject
