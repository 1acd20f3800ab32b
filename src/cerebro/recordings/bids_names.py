"""Names of BIDS: the entities in a file's name, and the dataset that a file lies in.

https://bids-specification.readthedocs.io/en/stable/common-principles.html#filenames
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

ENTITIES = frozenset(
    {
        *(
            "sub",
            "ses",
            "sample",
            "tracksys",
            "task",
            "acq",
            "nuc",
            "voi",
            "ce",
            "trc",
            "stain",
            "rec",
            "dir",
        ),
        *("run", "mod", "echo", "flip", "inv", "mt", "part", "proc", "hemi", "space", "split", "recording"),
        *("chunk", "seg", "res", "den", "label", "desc"),
    }
)
"""Keys that the specification knows."""

_VALUE = re.compile(r"[A-Za-z0-9+]+")
_SUFFIX = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class BidsName:
    """What a file's name says: ``sub-01_task-rest_eeg.edf``."""

    entities: Mapping[str, str]
    """Values by key, in the name's order: ``sub: 01``, ``task: rest``."""
    suffix: str
    """``eeg``, ``channels``, ``events``, ..."""
    extension: str
    """In small letters, with its dot: ``.edf``."""

    @property
    def subject(self) -> str:
        """The folder of the subject, ``sub-01``; empty in files of no subject."""
        return f"sub-{self.entities['sub']}" if "sub" in self.entities else ""

    @property
    def is_part(self) -> bool:
        """Whether the file is one of several that hold a recording: MNE opens the first FIF and follows."""
        return self.extension == ".fif" and "split" in self.entities

    @property
    def whole(self) -> tuple[str, ...]:
        """Entities as they are written that name the recording, ``sub-01`` and ``task-rest``."""
        return tuple(
            f"{key}-{value}" for key, value in self.entities.items() if not (self.is_part and key == "split")
        )


@lru_cache(maxsize=16_384)
def parse_name(file: str) -> BidsName | None:
    """Take a file's name apart; None if it is no name of BIDS.

    Entities may come in any order; one that the specification does not know, or that occurs twice, makes it
    no name of BIDS, and so does any other than ``sub`` in front where there is a ``sub``.
    """
    stem, dot, extension = file.partition(".")
    *pairs, suffix = stem.split("_")
    entities: dict[str, str] = {}
    for pair in pairs:
        key, dash, value = pair.partition("-")
        if not dash or key not in ENTITIES or key in entities or not _VALUE.fullmatch(value):
            return None
        entities[key] = value
    if not dot or not _SUFFIX.fullmatch(suffix) or ("sub" in entities and next(iter(entities)) != "sub"):
        return None
    return BidsName(MappingProxyType(entities), suffix, f".{extension.lower()}")


def bids_root(path: Path, subject: str) -> Path | None:
    """Return the dataset that a file of a subject (``sub-01``) lies in: what holds the subject's folder.

    None if the file does not lie in a folder of its subject's name. The dataset's path is absolute, so that a
    search may begin in the subject's own folder.
    """
    folders = folders_to(path, subject)
    return folders[0] if len(folders) > 1 else None


def folders_to(path: Path, subject: str) -> tuple[Path, ...]:
    """Return the folders from a file's dataset down to its own, its own alone where it is in no dataset."""
    return _folders_to(path.parent.absolute(), subject)


@lru_cache(maxsize=16_384)
def _folders_to(own: Path, subject: str) -> tuple[Path, ...]:
    names = own.parts
    for depth in range(len(names) - 1, 0, -1):
        if names[depth] == subject:
            return (*(own.parents[len(names) - 1 - end] for end in range(depth, len(names))), own)
    return (own,)
