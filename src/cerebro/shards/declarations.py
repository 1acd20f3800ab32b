"""Declared labels held against what tables and names say: before a run, and in the index's summary."""

import difflib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from cerebro.config import ALL, AnyLabel, PersonLabel, RecordingLabel
from cerebro.shards.labels import Read, Value, has_label, read_value, recording_values, stated, unknown

_SHOWN = 8


class Fault(NamedTuple):
    """One thing that is wrong with a declaration."""

    sentence: str
    """The key, what is wrong, and what is there instead."""
    stops: bool
    """Whether nobody has the label, so that no phase can learn it."""


@dataclass
class _Found:
    """What the recordings of one label say."""

    rows: int = 0
    """Recordings of datasets that have the label."""
    columns: set[str] = field(default_factory=set)
    """Columns that their tables have."""
    values: Counter[str] = field(default_factory=Counter)
    """Texts where the label is declared."""
    classes: Counter[Value] = field(default_factory=Counter)
    """Values that were read from them."""
    faults: Counter[str] = field(default_factory=Counter)
    """Why others could not be read."""


def label_table(rows: pd.DataFrame, labels: Mapping[str, AnyLabel]) -> pd.DataFrame:
    """Return the labels of recordings and of their people, one row for each row of the inventory."""
    values = [recording_values(row, labels, Counter()) for row in rows.to_dict(orient="records")]
    names = [name for name, label in labels.items() if isinstance(label, PersonLabel | RecordingLabel)]
    return pd.DataFrame(values, index=rows.index, columns=names)


def how_many_have(rows: pd.DataFrame, labels: Mapping[str, AnyLabel]) -> dict[str, dict[str, int]]:
    """Count the recordings whose label is known, and those whose dataset has it and of which it isn't."""
    table, counted = label_table(rows, labels), {}
    for name in table:
        asked = np.array([has_label({"dataset": dataset}, labels[name]) for dataset in rows["dataset"]], bool)
        known = is_known(table[name], labels[name])
        counted[str(name)] = {"known": int(known.sum()), "unknown": int((asked & ~known).sum())}
    return counted


def is_known(values: pd.Series, label: AnyLabel) -> pd.Series:
    """Whether each value of a label is one."""
    return values.notna() & (values != unknown(label))


def faults(rows: pd.DataFrame, labels: Mapping[str, AnyLabel]) -> list[Fault]:
    """Hold the labels of people and of recordings against the inventory.

    Parameters
    ----------
    rows
        Usable rows of the inventory.
    labels
        All declared labels.

    Returns
    -------
    list
        A column that no table has, a label that nobody has, values that are in no class or no numbers, a
        class that nobody has; empty if all is well.
    """
    own = {name: label for name, label in labels.items() if isinstance(label, PersonLabel | RecordingLabel)}
    return [
        fault
        for name, found in _collect(rows, own).items()
        for fault in _faults(f"labels.{name}", own[name], found)
    ]


def _collect(rows: pd.DataFrame, labels: Mapping[str, PersonLabel | RecordingLabel]) -> dict[str, _Found]:
    collected = {name: _Found() for name in labels}
    reads: dict[tuple[str, str], Read] = {}
    for row in rows.to_dict(orient="records"):
        known = {key: json.loads(row[key]) for key in ("person", "facts")}
        for name, label in labels.items():
            if not has_label(row, label):
                continue
            found = collected[name]
            found.rows += 1
            found.columns.update(known["person" if isinstance(label, PersonLabel) else "facts"])
            for text in stated(row, known, label):
                found.values[text] += 1
                if (name, text) not in reads:
                    reads[name, text] = read_value(text, label)
                read = reads[name, text]
                if read.fault:
                    found.faults[read.fault] += 1
                elif read.value != unknown(label):
                    found.classes[read.value] += 1
    return collected


def _faults(key: str, label: PersonLabel | RecordingLabel, found: _Found) -> Iterator[Fault]:
    if not found.rows:
        yield Fault(f"{key}: no recording is of {_datasets(label)}", stops=True)
        return
    if label.column is not None and label.column not in found.columns:
        of = "participants" if isinstance(label, PersonLabel) else "scans"
        there = f"{_nearest(label.column, found.columns)}; columns are {_some(found.columns)}"
        yield Fault(
            f"{key}.column: no table of {of} has a column '{label.column}'"
            + (there if found.columns else ", and none says anything of anybody"),
            stops=True,
        )
        return
    where = f"column {label.column}"
    if isinstance(label, RecordingLabel) and label.entity is not None:
        where = f"entity {label.entity}"
    seen = f"{where} holds {_some(found.values)}" if found.values else f"{where} holds nothing"
    if not found.classes:
        yield Fault(f"{key}: nobody has this label: {seen}", stops=True)
        return
    is_folder = isinstance(label, RecordingLabel) and label.entity == "folder"
    if found.faults and not is_folder:
        listed = ", ".join(f"{fault} ({count})" for fault, count in found.faults.most_common(_SHOWN))
        yield Fault(f"{key}: taken as missing in {found.faults.total()} recordings: {listed}", stops=False)
    if isinstance(label.classes, Mapping) and (
        absent := [one for one in label.classes if one not in found.classes]
    ):
        yield Fault(f"{key}.classes: nobody is {' or '.join(absent)}: {seen}", stops=False)
    if label.classes == ALL and len(found.classes) < 2:
        yield Fault(f"{key}: everybody is of one class: {seen}", stops=False)


def _nearest(name: str, known: Collection[str]) -> str:
    by_lower = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), list(by_lower), n=1)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


def _datasets(label: AnyLabel) -> str:
    return "any dataset" if not label.datasets else f"dataset {' or '.join(label.datasets)}"


def _some(names: Collection[str]) -> str:
    """Some of the names, the most frequent first where they were counted."""
    ordered = [name for name, _ in names.most_common()] if isinstance(names, Counter) else sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in ordered[:_SHOWN]) + more
