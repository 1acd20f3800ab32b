"""Sidecars of a recording by BIDS's inheritance principle, from the dataset's root down to the file's folder.

A sidecar is a recording's if it lies in a folder above it, within the dataset, and all entities of its name
are the recording's. Of tables the nearest is taken, objects of JSON are merged key by key, the nearest last:
https://bids-specification.readthedocs.io/en/stable/common-principles.html#the-inheritance-principle
"""

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cerebro.recordings.bids_names import BidsName, folders_to, parse_name

_SUFFIXES = frozenset({"eeg", "channels", "electrodes", "coordsystem", "events", "sessions", "scans"})
_MODALITIES = ("eeg", "ieeg", "meg")
_SPACE = "space"
"""Entity of positions that no recording has: the frame of their coordinates."""

_SETTLED_NS = 2_000_000_000
"""A folder that changed so recently (ns) may change again within one tick of its clock: it is listed anew."""


class FaultySidecar(ValueError):
    """A sidecar that can't be understood; the message is a sentence that names it."""


@dataclass(frozen=True)
class Sidecar:
    """A file that says something of recordings."""

    path: Path
    name: BidsName


def sidecars(recording: Path, suffix: str, extension: str) -> list[Sidecar]:
    """Return the sidecars of a recording that are of one kind, the farthest first.

    Parameters
    ----------
    recording
        Its file. Below a folder of its subject the whole dataset is searched, anywhere else its own folder.
        Names that are none of BIDS have the one sidecar of the same name (``anna_eeg.set``,
        ``anna_channels.tsv``).
    suffix, extension
        Of the sidecar: ``channels``, ``.tsv``.

    Raises
    ------
    OSError
        If the disk or the network does not list a folder.
    """
    name = parse_name(recording.name)
    if name is None or not name.subject:
        return _beside(recording, suffix, extension)
    return of_kind(all_sidecars(recording, name), suffix, extension)


def all_sidecars(recording: Path, name: BidsName) -> list[Sidecar]:
    """Return all sidecars of a recording of this name, as :func:`sidecars`."""
    if name.suffix not in _MODALITIES:
        return []
    own = name.entities.items()
    return [
        sidecar
        for folder in folders_to(recording, name.subject)
        for sidecar in _sidecars_in(folder)
        if all(entity in own for entity in sidecar.name.entities.items() if entity[0] != _SPACE)
    ]


def of_kind(found: Sequence[Sidecar], suffix: str, extension: str) -> list[Sidecar]:
    """Return those of a suffix and an extension."""
    return [one for one in found if one.name.suffix == suffix and one.name.extension == extension]


def nearest_sidecar(recording: Path, suffix: str, extension: str = ".tsv") -> Path | None:
    """Return the nearest of a recording's sidecars; in one folder, the one with the most entities."""
    found = sidecars(recording, suffix, extension)
    return found[-1].path if found else None


def merged_json(found: list[Sidecar]) -> dict[str, Any]:
    """Merge objects of JSON key by key; the later ones win.

    Raises
    ------
    FaultySidecar
        If one is no object of JSON.
    """
    merged: dict[str, Any] = {}
    for sidecar in found:
        merged |= read_json(sidecar.path)
    return merged


def read_json(path: Path) -> dict[str, Any]:
    """Read an object of JSON.

    Raises
    ------
    FaultySidecar
        If the file holds none.
    """
    stat = path.stat()
    return _read_json(path, stat.st_mtime_ns, stat.st_size)


def read_columns(path: Path) -> list[dict[str, str]]:
    """Read a table as text, row by row; cells that a short row lacks are left out."""
    # Not pandas' parser: a stray quotation mark swallows rows, while BIDS has no quoting.
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    header, *rows = [line.split("\t") for line in re.split(r"\r\n|\r|\n", text) if line.strip()] or [[]]
    names = [name.strip() for name in header]
    return [dict(zip(names, (cell.strip() for cell in row), strict=False)) for row in rows]


def _beside(recording: Path, suffix: str, extension: str) -> list[Sidecar]:
    entities, _, modality = recording.stem.rpartition("_")
    path = recording.with_name(f"{entities}_{suffix}{extension}")
    if not entities or modality not in _MODALITIES or not path.is_file():
        return []
    return [Sidecar(path, BidsName({}, suffix, extension))]


def _sidecars_in(folder: Path) -> tuple[Sidecar, ...]:
    changed = folder.stat().st_mtime_ns
    if abs(time.time_ns() - changed) < _SETTLED_NS:
        return _listing(folder)
    return _remembered_listing(folder, changed)


@lru_cache(maxsize=4096)
def _remembered_listing(folder: Path, changed: int) -> tuple[Sidecar, ...]:
    del changed  # it tells one state of the folder from another
    return _listing(folder)


def _listing(folder: Path) -> tuple[Sidecar, ...]:
    """Sidecars in a folder, those with more entities last."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = parse_name(entry.name) if entry.name.endswith((".tsv", ".json")) else None
            if name is not None and name.suffix in _SUFFIXES:
                found.append(Sidecar(folder / entry.name, name))
    return tuple(sorted(found, key=lambda one: (len(one.name.entities), one.path.name)))


@lru_cache(maxsize=4096)
def _read_json(path: Path, changed: int, size: int) -> dict[str, Any]:
    del changed, size  # they tell one content from another
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except ValueError as error:
        raise FaultySidecar(f"{path} is no JSON ({error})") from None
    if not isinstance(content, dict):
        raise FaultySidecar(f"{path} holds no object of JSON, {{...}}")
    return content
