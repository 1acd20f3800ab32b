"""The sentence that says what windows of a kind, or with a label, are cut from, and what was seen instead."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from cerebro.config import (
    CROP,
    FIXED,
    AnyLabel,
    Config,
    EventLabel,
    PersonLabel,
    RecordingLabel,
    TimedLabel,
)
from cerebro.shards.candidates import plain_events, recording_events
from cerebro.shards.intervals import seen_values
from cerebro.shards.labels import has_label

_READ = 8
"""Recordings of a dataset and task whose events are read to say what they hold."""
_SHOWN = 6


def need_of(kind: str, rows: pd.DataFrame, config: Config) -> str:
    """Say what windows of a kind need, and what the recordings have instead.

    Parameters
    ----------
    kind
        Kind of windows, of which there are none.
    rows
        Usable rows of the inventory.
    config
        The configuration.
    """
    if kind == FIXED:
        return "recordings at least as long as a window"
    if kind == CROP:
        return f"recordings of {' or '.join(config.windows.crops)} of at least 4 s, of people with the label"
    label = config.labels[kind]
    assert isinstance(label, TimedLabel)
    seen = _seen(rows, label)
    return f"{_declared(kind, label)}; {seen}"


def need_of_label(name: str, kind: str, labels: Mapping[str, AnyLabel]) -> str:
    """Say what windows need that are there and lack a label."""
    label = labels[name]
    match label:
        case PersonLabel():
            where = f"column {label.column} of the participants"
        case RecordingLabel(entity=None):
            where = f"column {label.column} of the scans"
        case RecordingLabel():
            where = f"{label.entity} of the recording"
        case _:
            where = f"column {label.column} of the events"
    return f"windows of kind {kind} with the label {name} ({where})"


def _declared(name: str, label: TimedLabel) -> str:
    of = f"events {' or '.join(label.at)} with" if isinstance(label, EventLabel) else "events with"
    classes = f" of {', '.join(_values(label))}" if _values(label) else ""
    tasks = f" in recordings of {' or '.join(label.tasks)}" if label.tasks else ""
    return f"labels.{name}: {of} a {label.column}{classes}{tasks}"


def _seen(rows: pd.DataFrame, label: TimedLabel) -> str:
    """Say what some recordings' events hold where a label looks, the nearest to what it looks for first."""
    own = rows[[has_label({"dataset": name}, label) for name in rows["dataset"]]]
    if label.tasks:
        own = own[own["task"].isin(label.tasks)]
        if own.empty:
            tasks = sorted(set(rows["task"]) - {""})
            return f"the tasks are {', '.join(tasks) or 'without names'}"
    seen: Counter[str] = Counter()
    some, read = own.groupby(["dataset", "task"]).head(_READ), 0
    for row in some.to_dict(orient="records"):
        notes: Counter[str] = Counter()
        events = plain_events(row, recording_events(row, notes), duration=row["duration"], notes=notes)
        if events is not None and not events.empty:
            read += 1
            seen += seen_values(events, label)
    if not read:
        return f"none of {len(some)} recordings that were looked at has events"
    if not seen:
        return f"{read} recordings with events that were looked at have none"
    wanted = [*_values(label), *(label.at if isinstance(label, EventLabel) else ())]
    listed = sorted(seen, key=lambda value: (-_nearness(value, wanted), -seen[value]))
    return f"seen are {', '.join(listed[:_SHOWN])}" + (" and others" if len(listed) > _SHOWN else "")


def _values(label: TimedLabel) -> list[str]:
    """The values that are declared as classes."""
    classes = label.classes if isinstance(label.classes, Mapping) else {}
    return [value for values in classes.values() for value in values]


def _nearness(value: str, wanted: Sequence[str]) -> float:
    ratios = (difflib.SequenceMatcher(None, value.casefold(), one.casefold()).ratio() for one in wanted)
    return max(ratios, default=0.0)
