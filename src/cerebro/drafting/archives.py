"""Find the reader that understands a folder, and a name for its dataset."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.recordings.folders import walk_files
from cerebro.recordings.hbn import release_of_folder
from cerebro.recordings.signals import FORMATS

LOOKED_AT = 20_000
"""Files of a folder by whose names its reader is known."""

_BIDS = re.compile(r"sub-[A-Za-z0-9]+(_[a-z]+-[A-Za-z0-9+]+)*_eeg\.[A-Za-z]+")
_TUH = re.compile(r"[a-z0-9]{8}_s\d{3}_t\d{3}\.edf", flags=re.IGNORECASE)
_HBN_COLUMNS = {"p_factor", "externalizing", "release_number"}


def datasets_of(folders: Sequence[Path]) -> dict[str, Dataset]:
    """Name a dataset for each folder, with the reader that understands it.

    Raises
    ------
    UserError
        Where a folder does not exist, or no reader finds a recording in it.
    """
    found: dict[str, Dataset] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}")
        name = _free(folder.resolve().name, found)
        found[name] = Dataset(reader=reader_of(folder), roots=(folder,))
    return found


def reader_of(folder: Path) -> str:
    """Return the built-in reader that understands a folder.

    Raises
    ------
    UserError
        Where none does: what lies there instead.
    """
    files = list(islice(walk_files([folder]), LOOKED_AT))
    recordings = [path for path in files if path.suffix.lower().lstrip(".") in FORMATS]
    if any(_BIDS.fullmatch(path.name) for path in recordings):
        return "hbn" if _is_hbn(folder, files) else "bids"
    if any(_TUH.fullmatch(path.name) for path in recordings):
        return "tuh"
    if recordings:
        return "files"
    kinds = sorted({path.suffix for path in files if path.suffix})
    there = f"files of {', '.join(kinds[:8])}" if kinds else "no file"
    raise UserError(f"{folder} holds no recording ({', '.join(FORMATS)}), but {there}; name another folder")


def _is_hbn(folder: Path, files: Sequence[Path]) -> bool:
    tables = [path for path in files if path.name == "participants.tsv"]
    for path in tables:
        columns = path.read_text(encoding="utf-8-sig", errors="replace").split("\n", 1)[0].strip().split("\t")
        if set(columns) >= _HBN_COLUMNS:
            return True
    return release_of_folder(folder.name) != ""


def _free(wanted: str, taken: dict[str, Dataset]) -> str:
    """A valid name of a dataset that none has yet."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", wanted).strip("_").lower() or "data"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    return name
