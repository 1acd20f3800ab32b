"""How a text becomes a label, which intervals a label holds for, and what a bad declaration is told."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from cerebro.config import AnyLabel, EventLabel, IntervalLabel
from cerebro.recordings.events import complete_events
from cerebro.shards.declarations import faults
from cerebro.shards.intervals import intervals, labelled
from cerebro.shards.labels import read_value, recording_values


def label_of(**declared: Any) -> AnyLabel:
    return TypeAdapter(AnyLabel).validate_python(declared)


def labels_of(**declared: Mapping[str, Any]) -> dict[str, AnyLabel]:
    return {name: label_of(**one) for name, one in declared.items()}


def row(subject: str = "sub-A", *, facts: Mapping[str, str] | None = None, **person: str) -> dict[str, Any]:
    return {
        "recording": subject,
        "dataset": "mine",
        "subject": subject,
        **dict.fromkeys(("session", "acquisition", "release"), ""),
        "task": "rest",
        "run": "2",
        "folder": f"mine/site-b/{subject}/eeg",
        "person": json.dumps(person),
        "facts": json.dumps(facts or {}),
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("F", "female"),
        ("f", "female"),
        (" Female ", "female"),
        ("M", "male"),
        ("2", "male"),
        ("2.0", "male"),
        ("02", "male"),
        ("X", ""),
        ("1", "female"),
        ("21", ""),
    ],
)
def test_case_spaces_and_the_spelling_of_numbers_make_no_difference(text: str, name: str) -> None:
    label = label_of(of="person", column="sex", classes={"female": ["f", "female", 1], "male": ["M", "2.0"]})
    assert read_value(text, label).value == name
    assert bool(read_value(text, label).fault) == (not name)


def test_case_tells_two_classes_apart_that_differ_by_nothing_else() -> None:
    label = label_of(of="person", column="stage", classes={"small": "a", "large": "A", "other": "b"})
    assert [read_value(text, label).value for text in ("a", "A", "B")] == ["small", "large", "other"]
    assert read_value(" a ", label).value == ""  # either could be meant


@pytest.mark.parametrize(
    ("text", "value", "fault"),
    [
        ("9.5", 9.5, ""),
        (" 1e1", 10.0, ""),
        ("-3", math.nan, "values outside [0, 99]"),
        ("9,5", math.nan, "value '9,5' is no number"),
        ("inf", math.nan, "value 'inf' is no number"),
        ("twelve", math.nan, "value 'twelve' is no number"),
        (None, math.nan, ""),
    ],
)
def test_a_number_is_read_or_missing_with_a_reason(text: str | None, value: float, fault: str) -> None:
    read = read_value(text, label_of(of="person", column="age", range=[0, 99]))
    assert read.value == pytest.approx(value, nan_ok=True)
    assert read.fault == fault


def test_labels_of_a_recording_come_from_its_person_its_name_its_folders_and_its_scan() -> None:
    labels = labels_of(
        age={"of": "person", "column": "age"},
        group={"of": "person", "column": "group", "classes": "all"},
        run={"of": "recording", "entity": "run"},
        task={"of": "recording", "entity": "task", "classes": ["rest", "load"]},
        site={"of": "recording", "entity": "folder", "classes": {"a": "site-a", "b": "site-b"}},
        quality={"of": "recording", "column": "quality", "classes": ["good", "bad"]},
        other={"of": "person", "column": "age", "datasets": ["another"]},
    )
    notes: Counter[str] = Counter()
    found = recording_values(row(facts={"quality": "Good"}, age="7", group="x"), labels, notes)
    assert math.isnan(found.pop("other"))  # type: ignore[arg-type]
    assert found == {"age": 7.0, "group": "x", "run": 2.0, "task": "rest", "site": "b", "quality": "good"}
    assert not any(notes.values())
    recording_values(row(facts={"quality": "fair"}, age="old"), labels, notes)
    assert {name: count for name, count in notes.items() if count} == {
        "label age: value 'old' is no number": 1,
        "label quality: value 'fair' is in none of its classes": 1,
    }


def events_of(*rows: tuple[float, float | None, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])
    return complete_events(table, source="a test")


EYES = IntervalLabel(
    of="interval", column="trial_type", classes={"open": ("eyes_open",), "closed": ("eyes_closed",)}
)


def states(
    *rows: tuple[float, float | None, str], duration: float = 100.0
) -> tuple[list[tuple[float, float, str]], dict[str, int]]:
    notes: Counter[str] = Counter()
    found = intervals(
        labelled(events_of(*rows), "eyes", EYES, notes), "eyes", EYES, duration=duration, notes=notes
    )
    held = list(found[["start", "stop", "value"]].itertuples(index=False, name=None))
    return held, {name: count for name, count in notes.items() if count}


def test_intervals_with_a_duration_keep_it_whatever_other_events_lie_within_them() -> None:
    held, notes = states((5, 20, "eyes_closed"), (10, 1, "blink"), (40, 30, "Eyes_Open"))
    assert held == [(5, 25, "closed"), (40, 70, "open")]
    assert notes == {}


def test_intervals_without_one_last_until_the_next_or_the_end_and_are_counted() -> None:
    held, notes = states((5, None, "eyes_closed"), (10, None, "blink"), (40, 0, "eyes_open"))
    assert held == [(5, 40, "closed"), (40, 100, "open")]
    assert notes == {"eyes intervals without a duration, taken to last until the next one": 2}


def test_what_overlaps_or_lies_behind_the_end_is_cut_and_counted() -> None:
    held, notes = states((5, 60, "eyes_closed"), (40, 90, "eyes_open"), (120, 5, "eyes_closed"))
    assert held == [(5, 40, "closed"), (40, 100, "open")]
    assert notes == {
        "eyes intervals cut by the next one": 1,
        "eyes intervals cut by the end of their recording": 1,
        "eyes intervals that begin behind the end of their recording": 1,
    }


def test_an_event_is_found_by_its_value_or_its_trial_type() -> None:
    table = pd.DataFrame(
        {
            "onset": [1, 2, 3],
            "value": [11, 12, 13],
            "trial_type": ["go", "Stop", "go"],
            "hand": ["l", "r", "x"],
        }
    )
    events = complete_events(table, source="a test")
    for at, onsets in ((["go"], [1]), ([12], [2]), (["stop"], [2]), (["wait"], [])):
        label = label_of(
            of="event", at=[str(name) for name in at], column="hand", classes=["l", "r"], window=[0, 1]
        )
        notes: Counter[str] = Counter()
        assert isinstance(label, EventLabel)
        assert list(labelled(events, "hand", label, notes)["onset"]) == onsets
        faulty = {"label hand: value 'x' is in none of its classes": 1} if at == ["go"] else {}
        assert dict(notes) == faulty


PEOPLE = pd.DataFrame(
    [
        row("sub-A", group="control", age="30", Sex="F", site="x"),
        row("sub-B", group="control", age="thirty", Sex="F", site="x"),
        row("sub-C", group="Epilepsie", age="31", Sex="M"),
    ]
)


@pytest.mark.parametrize(
    ("declared", "sentences", "stops"),
    [
        (
            {"of": "person", "column": "age"},
            ["taken as missing in 1 recordings: value 'thirty' is no number (1)"],
            False,
        ),
        (
            {"of": "person", "column": "sex", "classes": ["F", "M"]},
            ["labels.it.column: no table of participants has a column 'sex'; did you mean 'Sex'?"],
            True,
        ),
        (
            {"of": "person", "column": "group", "classes": ["control", "epilepsy"]},
            [
                "value 'Epilepsie' is in none of its classes (1)",
                "labels.it.classes: nobody is epilepsy: column",
            ],
            False,
        ),
        (
            {"of": "person", "column": "group", "classes": ["healthy", "ill"]},
            ["labels.it: nobody has this label: column group holds 'control', 'Epilepsie'"],
            True,
        ),
        ({"of": "person", "column": "site", "classes": "all"}, ["everybody is of one class"], False),
        (
            {"of": "recording", "entity": "task", "classes": ["eyes", "arithmetic"]},
            ["labels.it: nobody has this label: entity task holds 'rest'"],
            True,
        ),
        (
            {"of": "recording", "entity": "session", "classes": "all"},
            ["labels.it: nobody has this label: entity session holds nothing"],
            True,
        ),
        (
            {"of": "recording", "column": "quality"},
            ["labels.it.column: no table of scans has a column 'quality', and none says anything of anybody"],
            True,
        ),
        (
            {"of": "recording", "entity": "folder", "classes": {"a": "site-a", "b": "site-b"}},
            ["labels.it.classes: nobody is a: entity folder holds"],
            False,
        ),
        (
            {"of": "person", "column": "age", "datasets": ["mine"], "range": [0, 30]},
            ["taken as missing"],
            False,
        ),
    ],
)
def test_a_bad_declaration_is_told_in_a_sentence(
    declared: dict[str, Any], sentences: list[str], stops: bool
) -> None:
    found = faults(PEOPLE, labels_of(it=declared))
    assert len(found) == len(sentences)
    for fault, sentence in zip(found, sentences, strict=True):
        assert sentence in fault.sentence
        assert fault.stops == stops
        assert "\n" not in fault.sentence


def test_good_declarations_are_told_nothing() -> None:
    labels = labels_of(
        sex={"of": "person", "column": "Sex", "classes": ["f", "m"]},
        group={"of": "person", "column": "group", "classes": "all"},
        run={"of": "recording", "entity": "run"},
        eyes={"of": "interval", "column": "nowhere", "classes": "all"},
    )
    assert faults(PEOPLE, labels) == []
    assert np.isnan(recording_values(row(), {"age": label_of(of="person", column="age")}, Counter())["age"])
