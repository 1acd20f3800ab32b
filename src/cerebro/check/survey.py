"""What lies in the folders of one dataset: found by its reader, judged as the inventory would."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.check.lengths import Lengths, estimate_lengths
from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.recordings.copies import tell_copies_apart
from cerebro.recordings.exclusions import read_exclusions
from cerebro.recordings.failures import refuse_failures, refuse_unreadable
from cerebro.recordings.headers import Header, glance
from cerebro.recordings.inventory import (
    SCHEMA,
    inventory_row,
    why_unwanted,
)
from cerebro.recordings.montages import canonical_order
from cerebro.recordings.readers import load_reader, person_function
from cerebro.recordings.recording import Recording
from cerebro.recordings.remarks import channels_not_understood, warn_of_contradictions

_THREADS, _GLANCES = 8, 256


@dataclass
class Survey:
    """One dataset."""

    name: str
    """Its name in the configuration."""
    dataset: Dataset
    """Its settings."""
    roots: Mapping[Path, bool]
    """The folders, and whether they exist."""
    rows: pd.DataFrame = field(default_factory=lambda: _table([], []))
    """Columns of the inventory, durations estimated, and whether the header was read."""
    unwanted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Recordings of tasks and releases that the configuration leaves out, by key and name."""
    lengths: Lengths = field(default_factory=Lengths)
    """What the sampled files said."""
    notes: list[str] = field(default_factory=list)
    """What a user should know and the run survives."""
    problems: list[str] = field(default_factory=list)
    """What stops the run."""

    @property
    def usable(self) -> pd.DataFrame:
        """Rows of the recordings that go on."""
        return self.rows[self.rows["status"] == "ok"]

    @property
    def searched(self) -> str:
        """The folders that exist."""
        return ", ".join(str(root) for root, is_there in self.roots.items() if is_there)

    @property
    def labels_in_headers(self) -> bool:
        """Whether headers say something of people, so that only those that were read tell it."""
        return person_function(self.dataset.reader) is not None

    @property
    def n_chans(self) -> int:
        """Channels of a shard: all that any sampled recording has."""
        headers = self.lengths.headers.values()
        names = canonical_order(name for header in headers for name in header.channels)
        return max(len(names), self.lengths.channels)


def survey(name: str, dataset: Dataset, roots: Iterable[Path], excluded_subjects: Sequence[str]) -> Survey:
    """Look at a dataset without reading its signals.

    Parameters
    ----------
    name, dataset
        Its name and settings.
    roots
        Where it lies.
    excluded_subjects
        Subjects that the configuration leaves out of every dataset.
    """
    result = Survey(name=name, dataset=dataset, roots={root: root.is_dir() for root in roots})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _look(result, excluded_subjects)
        except UserError as error:
            result.problems.append(str(error))
    result.notes += [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    return result


def _look(result: Survey, excluded_subjects: Sequence[str]) -> None:
    name, dataset = result.name, result.dataset
    exclusions = read_exclusions(name, dataset, excluded_subjects)
    found: list[Recording] = []
    roots = [root for root, is_there in result.roots.items() if is_there]
    for recording in load_reader(dataset.reader).scan(roots):
        if reason := why_unwanted(recording, name, dataset):
            of = recording.release if reason.startswith("release") else recording.task
            result.unwanted[reason, of or "(none)"] += 1
        else:
            found.append(recording)
    headers = _glances([recording.path for recording in found])
    reasons = [exclusions.reason(recording.subject) for recording in found]
    rows = [
        inventory_row(name, dataset, recording, reason, header, None, roots=roots)
        for recording, reason, header in zip(found, reasons, headers, strict=True)
    ]
    tell_copies_apart(rows)
    result.lengths = estimate_lengths(rows)
    read_person = person_function(dataset.reader)
    for number, header in result.lengths.headers.items():
        read = inventory_row(name, dataset, found[number], reasons[number], header, read_person, roots=roots)
        rows[number] |= {key: value for key, value in read.items() if key not in ("recording", "duration")}
    warn_of_contradictions(
        name,
        ((found[number], header) for number, header in result.lengths.headers.items()),
        read_person,
    )
    if said := channels_not_understood(rows):
        result.notes.append(f"datasets.{name}: {said}")
    opened = [number in result.lengths.headers for number in range(len(rows))]
    result.rows = _table(rows, opened)
    _judge(result)


def _glances(paths: Sequence[Path]) -> list[Header]:
    """Glance at files, several side by side: what is slow is a disk, or a network's answer."""
    parts = [paths[start : start + _GLANCES] for start in range(0, len(paths), _GLANCES)]
    with ThreadPoolExecutor(_THREADS) as pool:
        return [
            header
            for part in pool.map(lambda part: [glance(path) for path in part], parts)
            for header in part
        ]


def _table(rows: Sequence[Mapping[str, Any]], opened: Sequence[bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=SCHEMA.names).assign(opened=np.array(opened, dtype=bool))


def _judge(result: Survey) -> None:
    rows, name = result.rows, result.name
    if rows.empty:
        return
    unreadable = rows[rows["status"] == "unreadable"]
    try:
        refuse_unreadable(name, list(zip(unreadable["path"], unreadable["reason"], strict=True)))
    except UserError as error:
        result.problems.append(str(error))
        return
    if result.usable.empty:
        reasons = rows["reason"].value_counts()
        result.problems.append(
            f"datasets.{name}: no usable recording in {result.searched}: {len(rows)} found, mostly: "
            f"{reasons.index[0]}"
        )
        return
    # What is known without a header counts for all; what headers say, for those that were read.
    tried = rows[rows["status"].isin(["ok", "quarantined"])]
    opened = tried[tried["opened"]]
    for part, which in ((tried, ""), (opened, f" ({len(opened)} headers were sampled)")):
        broken = part.loc[part["status"] == "quarantined", "reason"]
        try:
            refuse_failures(name, broken, recordings=len(part), limit=result.dataset.max_failed_share)
        except UserError as error:
            result.problems.append(f"{error}{which}")
            return
