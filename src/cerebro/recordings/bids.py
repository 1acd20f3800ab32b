"""Find recordings in any dataset of BIDS: names, sidecars and tables say all that is known of them.

What is read from where, and what wins: docs/bids.md. Files lie in ``sub-…/[ses-…/]eeg``; the folders to
search are datasets, hold datasets somewhere below, or are a subject's own.
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

from cerebro.errors import UserError
from cerebro.recordings import events
from cerebro.recordings.bids_amplifier import Amplifier, amplifier
from cerebro.recordings.bids_names import BidsName, folders_to, parse_name
from cerebro.recordings.bids_sidecars import (
    FaultySidecar,
    Sidecar,
    all_sidecars,
    merged_json,
    nearest_sidecar,
    of_kind,
    read_json,
)
from cerebro.recordings.bids_tables import Row, is_missing, read_participants, read_scans, read_table
from cerebro.recordings.folders import walk_files
from cerebro.recordings.recording import Recording
from cerebro.recordings.signals import FORMATS

_LONGEST_LIST = 5


@dataclass(frozen=True)
class _Found:
    """A recording's file, its name taken apart, and the dataset that it lies in."""

    path: Path
    name: BidsName
    root: Path


@dataclass
class _Remarks:
    """What is wrong with some of the files: the first of them, and how many, by what is wrong."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def note(self, what: str, example: str) -> None:
        self.found.setdefault(what, []).append(example)

    def warn(self) -> None:
        for what, examples in self.found.items():
            warnings.warn(f"{what}: {len(examples)} (first: {examples[0]})", stacklevel=3)


def scan(roots: Sequence[Path]) -> Iterator[Recording]:
    """Yield every recording below ``roots``, headers unread.

    Warnings count what is left out, and what was not understood of sidecars, each with its first example.

    Raises
    ------
    UserError
        If a root holds no recording of BIDS, or the disk does not give a sidecar.
    """
    remarks = _Remarks()
    found = _first_of_split(_once([one for root in roots for one in _find(root, remarks)]))
    datasets = sorted({one.root for one in found})
    prefixes = _told_apart(datasets)
    people = {root: read_participants(root / "participants.tsv") for root in datasets}
    tables = _Tables()
    for one in found:
        listed = people[one.root]
        if listed and one.name.subject not in listed:
            remarks.note("recordings of subjects without a row in participants.tsv", str(one.path))
        try:
            beside = all_sidecars(one.path, one.name)
            made = _amplifier(one, beside, remarks)
            facts = tables.facts(one, beside)
        except OSError as error:
            file = error.filename or one.path
            raise UserError(f"{file} can't be read ({error}); running again may help") from error
        subject = prefixes[one.root] + one.name.subject
        entities = one.name.entities
        yield Recording(
            path=one.path,
            subject=subject,
            name=(subject, *one.name.whole[1:]),
            session=entities.get("ses", ""),
            task=entities.get("task", ""),
            acquisition=entities.get("acq", ""),
            run=entities.get("run", ""),
            reference=made.reference,
            filtered=made.filtered,
            mains_hz=made.mains_hz,
            person=listed.get(one.name.subject, {}),
            facts=facts,
        )
    remarks.warn()


def read_events(recording: Path) -> pd.DataFrame:
    """Read the nearest table of a recording's events, see :func:`cerebro.recordings.events.read_events`.

    Raises
    ------
    FileNotFoundError
        If it has none.
    ValueError
        If the table has no column ``onset``.
    """
    table = nearest_sidecar(recording, "events")
    if table is None:
        raise FileNotFoundError(f"{recording} has no events.tsv")
    return events.read_events(table)


def _find(root: Path, remarks: _Remarks) -> list[_Found]:
    found = []
    for path in walk_files([root], [f".{suffix}" for suffix in FORMATS]):
        name = parse_name(path.name)
        if name is None or not name.subject or name.suffix != "eeg":
            remarks.note("files left out since their name is none of BIDS's EEG, sub-*_eeg.*", str(path))
            continue
        folders = folders_to(path, name.subject)
        if len(folders) < 3 or folders[-1].name != "eeg":
            remarks.note(
                "files left out since they lie outside sub-*/[ses-*/]eeg of their subject", str(path)
            )
            continue
        found.append(_Found(path, name, folders[0]))
    if not found:
        raise UserError(_nothing_found(root))
    return found


def _once(found: Sequence[_Found]) -> Iterable[_Found]:
    """Leave out what was found again: roots may lie in one another, and be links."""
    folders = {folder: folder.stat() for folder in {one.path.parent for one in found}}
    once: dict[tuple[int, int, str], _Found] = {}
    for one in found:
        folder = folders[one.path.parent]
        once.setdefault((folder.st_dev, folder.st_ino, one.path.name), one)
    return once.values()


def _first_of_split(found: Iterable[_Found]) -> list[_Found]:
    """Leave out what another file leads to: of a FIF that was split, all but the first part."""
    kept: dict[object, _Found] = {}
    for one in found:
        kept.setdefault((one.path.parent, one.name.whole) if one.name.is_part else one.path, one)
    return list(kept.values())


def _nothing_found(root: Path) -> str:
    """Say what lies there in place of recordings."""
    if any(part.startswith("sub-") for path in walk_files([root]) for part in path.absolute().parent.parts):
        formats = ", ".join(FORMATS)
        return (
            f"{root} holds subjects of BIDS, but no sub-*/[ses-*/]eeg/sub-*_eeg file of a known format "
            f"({formats}); check datasets.*.roots and reader"
        )
    names = sorted(entry.name for entry in os.scandir(root))
    listed = ", ".join(names[:_LONGEST_LIST] + ["..."] * (len(names) > _LONGEST_LIST)) or "nothing"
    return (
        f"{root} holds no dataset of BIDS: no folder sub-* lies below it, but {listed}; check "
        "datasets.*.roots, or take the reader `files`, which needs no layout"
    )


def _told_apart(datasets: Sequence[Path]) -> dict[Path, str]:
    """What stands before the names of each dataset's subjects: nothing, if all are of one dataset.

    Two people called ``sub-01`` in two datasets are two. Folders whose ``dataset_description.json`` states
    one name are parts of one dataset, and share its people.
    """
    parts: dict[str, list[Path]] = {}
    for root in datasets:
        parts.setdefault(_dataset_name(root), []).append(root)
    if len(parts) < 2:
        return dict.fromkeys(datasets, "")
    first = [roots[0] for roots in parts.values()]
    common = Path(os.path.commonpath(first))
    short = {root: root.name for root in first}
    if len(set(short.values())) < len(first):
        short = {root: "-".join(root.relative_to(common).parts) for root in first}
    return {root: f"{short[roots[0]]}_" for roots in parts.values() for root in roots}


def _dataset_name(root: Path) -> str:
    description = root / "dataset_description.json"
    try:
        stated = read_json(description).get("Name") if description.is_file() else None
    except FaultySidecar:
        stated = None
    return f"name {stated}" if isinstance(stated, str) and not is_missing(stated) else f"folder {root}"


def _amplifier(one: _Found, found: Sequence[Sidecar], remarks: _Remarks) -> Amplifier:
    try:
        made = amplifier(merged_json(of_kind(found, "eeg", ".json")))
    except FaultySidecar as error:
        remarks.note("recordings whose _eeg.json can't be read", str(error))
        return amplifier({})
    if made.doubt:
        remarks.note("recordings whose mains are neither 50 nor 60 Hz", f"{made.doubt} of {one.path}")
    return made


class _Tables:
    """Tables of sessions and scans, each read once."""

    def __init__(self) -> None:
        self._sessions = cache(lambda path: read_table(path, "session_id", _session))
        self._scans = cache(read_scans)

    def facts(self, one: _Found, found: Sequence[Sidecar]) -> Row:
        """What is said of a recording: of its session, then of its file, which wins."""
        facts: Row = {}
        for table in of_kind(found, "sessions", ".tsv"):
            facts |= self._sessions(table.path).get(f"ses-{one.name.entities.get('ses', '')}", {})
        for table in of_kind(found, "scans", ".tsv"):
            file = os.path.relpath(one.path, table.path.parent)
            facts |= self._scans(table.path).get(Path(file).as_posix(), {})
        return facts


def _session(text: str) -> str:
    name = text.removeprefix("ses-")
    return "" if is_missing(name) else f"ses-{name}"
