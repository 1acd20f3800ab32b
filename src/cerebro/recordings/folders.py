"""Walk archive folders in a fixed order, through symbolic links, each folder once."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def walk_files(roots: Sequence[Path]) -> Iterator[Path]:
    """Yield every file below ``roots`` in sorted order; hidden folders and BIDS derivatives are left out.

    Dangling links are yielded as well, so that readers can say what has not been downloaded.
    """
    seen: set[tuple[int, int]] = set()
    for root in roots:
        for folder, folders, files in os.walk(root, followlinks=True):
            try:
                stat = Path(folder).stat()
            except OSError:  # gone since its parent was listed
                folders.clear()
                continue
            identity = (stat.st_dev, stat.st_ino)
            if identity in seen:
                folders.clear()
                continue
            seen.add(identity)
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and name not in ("derivatives", "sourcedata", "code", "stimuli")
            )
            for name in sorted(files):
                if not name.startswith("."):
                    yield Path(folder) / name


def subject_of_file(path: Path, reader: str) -> str:
    """Say whose file this is by its name alone; empty for files of no subject.

    Recordings and their sidecars begin with their subject in every archive that a built-in reader knows;
    what the names in other archives mean is unknown here, so that nobody is.
    """
    first, separator, _ = path.stem.partition("_")
    match reader:
        case "hbn":
            return first if separator and first.startswith("sub-") else ""
        case "tuh":
            return first if separator else ""
        case "files":
            return first
        case _:
            return ""
