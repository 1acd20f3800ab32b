"""Labels that a study could ask about, found in its tables of people, its names of files and its events."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.recordings.readers import events_function

MOST_CLASSES = 8
"""A column with more values than this names no classes."""
MOST_CODES = 5
"""Numbers of up to as many values are codes of classes."""
LEAST_PEOPLE = 6
"""A label that fewer people have is not proposed."""
LEAST_PER_CLASS = 3
"""The same for each of its classes."""
SAMPLED = 40
"""Recordings of a dataset whose events are read."""
SHORTEST_INTERVAL = 2.0
"""Seconds; what lasts less is an event."""

_ENTITIES = ("task", "session", "acquisition")
_COLUMNS_OF_EVENTS = ("onset", "duration", "sample", "value", "trial_type", "code", "event_code", "reason")
_TIME = re.compile(r"(^|_)(rt|time|latency)($|_)|reaction|response_time", flags=re.IGNORECASE)


@dataclass(kw_only=True)
class Draft:
    """A proposed declaration."""

    name: str
    """Name of the label."""
    keys: Mapping[str, Any]
    """Its declaration, as in the configuration."""
    comment: str
    """How many people or recordings have it."""
    wanted: bool = True
    """Whether it is written as a declaration; otherwise as a comment."""
    datasets: list[str] = field(default_factory=list)
    """Datasets that have it."""


def drafted_labels(rows: pd.DataFrame, readers: Mapping[str, str]) -> list[Draft]:
    """Propose labels.

    Parameters
    ----------
    rows : DataFrame
        Usable rows of the inventory of all datasets.
    readers : mapping of str to str
        Reader of each dataset.
    """
    drafts: dict[tuple[str, str], Draft] = {}
    for dataset, part in rows.groupby("dataset"):
        found = [*_of_people(part), *_of_recordings(part), *_of_events(part, readers[str(dataset)])]
        for draft in found:
            same = drafts.setdefault((draft.name, json.dumps(draft.keys, sort_keys=True)), draft)
            same.datasets.append(str(dataset))
    everywhere = set(readers)
    named: dict[str, Draft] = {}
    for draft in drafts.values():
        name = draft.name
        if name in named:  # another declaration of this name in another dataset
            name = f"{name}_{draft.datasets[0]}"
        if set(draft.datasets) != everywhere:
            draft.keys = {**draft.keys, "datasets": draft.datasets}
        draft.name = name
        named[name] = draft
    return list(named.values())


def _of_people(rows: pd.DataFrame) -> Iterator[Draft]:
    """Columns of the table of participants: numbers, and classes that several people have."""
    people = pd.DataFrame(
        [json.loads(text) for text in rows.drop_duplicates("subject")["person"]], dtype=object
    )
    for column in people:
        values = people[column].dropna().astype(str)
        if len(values) < LEAST_PEOPLE:
            continue
        numbers = pd.to_numeric(values, errors="coerce")
        sizes = values.value_counts()
        name, known = _name(str(column)), f"{len(values)} of {len(people)} people"
        if numbers.notna().all() and (len(sizes) > MOST_CODES or column == "age"):
            keys: dict[str, Any] = {"of": "person", "column": str(column)}
            if str(column) == "age":
                keys |= {"log": True, "range": [0, 120]}
            yield Draft(name=name, keys=keys, comment=f"{known}, {_spread(numbers)}")
        elif 2 <= len(sizes) <= MOST_CLASSES:
            keys = {"of": "person", "column": str(column), "classes": sorted(sizes.index)}
            enough = bool((sizes >= LEAST_PER_CLASS).all())
            yield Draft(name=name, keys=keys, comment=f"{known}: {_counted(sizes)}", wanted=enough)


def _of_recordings(rows: pd.DataFrame) -> Iterator[Draft]:
    """Parts of names that tell recordings apart, first those of one person."""
    for entity in _ENTITIES:
        if entity not in rows:
            continue
        people = rows[rows[entity] != ""].groupby(entity)["subject"].nunique()
        if not 2 <= len(people) <= MOST_CLASSES:
            continue
        keys = {"of": "recording", "entity": entity, "classes": sorted(map(str, people.index))}
        enough = bool((people >= LEAST_PER_CLASS).all())
        yield Draft(
            name=entity,
            keys=keys,
            comment=f"people: {_counted(people)}",
            wanted=enough and entity == "task",
        )


def _of_events(rows: pd.DataFrame, reader: str) -> Iterator[Draft]:
    """States that last, and events with a value of their own."""
    read = events_function(reader)
    if read is None or reader == "hbn":  # HBN's codes are declared in the layer `challenge`
        return
    step = max(1, len(rows) // SAMPLED)
    tables = []
    for path, subject in zip(rows["path"][::step], rows["subject"][::step], strict=True):
        try:
            tables.append(read(Path(path)).assign(subject=subject))
        except (FileNotFoundError, ValueError):
            continue
    if not tables:
        return
    events = pd.concat(tables, ignore_index=True)
    column = next((name for name in ("trial_type", "value") if _is_given(events, name)), None)
    if column is None:
        return
    lasting = events["duration"] >= SHORTEST_INTERVAL
    states = events[lasting].groupby(column)["subject"].nunique()
    if 2 <= len(states) <= MOST_CLASSES:
        keys = {"of": "interval", "column": column, "classes": sorted(map(str, states.index))}
        enough = bool((states >= min(LEAST_PER_CLASS, len(tables))).all())
        yield Draft(name="state", keys=keys, comment=f"people sampled: {_counted(states)}", wanted=enough)
    moments = events[~lasting]
    for extra in events.columns.difference([*_COLUMNS_OF_EVENTS, "subject"], sort=False):
        yield from _of_column(moments, column, str(extra), len(tables))


def _of_column(moments: pd.DataFrame, column: str, extra: str, n_tables: int) -> Iterator[Draft]:
    """A column that holds numbers, or a few classes, in the rows of some events."""
    given = moments[moments[extra].notna() & (moments[extra].astype(str) != "")]
    counts = given[column].value_counts()
    at = sorted(
        map(str, counts[counts >= max(LEAST_PER_CLASS, counts.max() // 10 if len(counts) else 0)].index)
    )
    if given["subject"].nunique() < min(LEAST_PEOPLE, n_tables) or not at or len(at) > MOST_CLASSES:
        return
    given = given[given[column].astype(str).isin(at)]
    numbers = pd.to_numeric(given[extra], errors="coerce")
    sizes = given[extra].astype(str).value_counts()
    keys: dict[str, Any] = {"of": "event", "at": at, "column": extra}
    comment = f"{len(given)} events of {given['subject'].nunique()} people sampled"
    if numbers.notna().mean() > 0.9 and len(sizes) > MOST_CLASSES:
        low, high = (float(f"{value:.2g}") for value in np.nanquantile(numbers, [0.01, 0.99]))
        keys |= {"window": [0, 2], "range": [low, high]}
        if _TIME.search(extra) and 0 <= low < high <= 10:
            keys |= {"time": True}
        yield Draft(name=_name(extra), keys=keys, comment=f"{comment}, {_spread(numbers)}")
    elif 2 <= len(sizes) <= MOST_CLASSES:
        keys |= {"window": [0, 2], "classes": sorted(sizes.index)}
        yield Draft(name=_name(extra), keys=keys, comment=f"{comment}: {_counted(sizes)}", wanted=False)


def _is_given(events: pd.DataFrame, column: str) -> bool:
    return column in events and bool((events[column].notna() & (events[column] != "n/a")).any())


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower() or "label"


def _spread(numbers: pd.Series) -> str:
    return f"{numbers.min():.4g} to {numbers.max():.4g}, median {numbers.median():.4g}"


def _counted(sizes: Mapping[Any, int] | Counter[str] | pd.Series) -> str:
    return ", ".join(
        f"{size} {value}" for value, size in sorted(sizes.items(), key=lambda item: str(item[0]))
    )


def first(drafts: Sequence[Draft], *kinds: str) -> Draft | None:
    """The first wanted label of the first kind (`person`, ...) that has one; none if there is none."""
    wanted = [draft for kind in kinds for draft in drafts if draft.wanted and draft.keys["of"] == kind]
    return wanted[0] if wanted else None
