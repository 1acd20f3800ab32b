"""Windows of events as any archive writes them, and of an archive whose reader interprets its own codes."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import TypeAdapter

from cerebro.config import AnyLabel, Windows
from cerebro.shards.candidates import BROKEN, candidates, recording_events

PLAIN = """
from cerebro.recordings import events

def scan(roots):
    return iter(())

def read_events(path):
    return events.read_events(path)
"""
CODES = (
    PLAIN
    + """
def interpret_events(events, *, row, duration, notes):
    notes["codes"] += len(events)
    states = {"11": "calm", "12": "stressed"}
    reason = events["value"].map({"12": "left the room"})
    return events.assign(value="state", state=events["value"].map(states), duration=10.0, reason=reason)
"""
)
Cut = Callable[..., tuple[pd.DataFrame, dict[str, int]]]


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """Windows of a minute with these events, read by one of two readers."""
    for name, text in (("reader_of_plain_events", PLAIN), ("reader_of_own_codes", CODES)):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def windows_of(
        table: str, labels: Mapping[str, Any], *, reader: str = "reader_of_plain_events", task: str = "rest"
    ) -> tuple[pd.DataFrame, dict[str, int]]:
        (tmp_path / "events.tsv").write_text(table)
        row = {"recording": "a", "dataset": "mine", "reader": reader, "task": task, "run": ""}
        row |= {"path": str(tmp_path / "events.tsv"), "person": "{}", "facts": "{}"}
        notes: Counter[str] = Counter()
        windows = candidates(
            row,
            recording_events(row, notes),
            n_times=6000,
            sfreq=100.0,
            windows=Windows(),
            labels=TypeAdapter(dict[str, AnyLabel]).validate_python(labels),
            notes=notes,
        )
        return windows, {name: count for name, count in notes.items() if count}

    return windows_of


EYES = {"of": "interval", "classes": {"open": "eyes_open", "closed": "eyes_closed"}}


def test_every_window_over_a_mark_of_the_recorder_says_so(cut: Cut) -> None:
    table = "onset\tduration\ttrial_type\n2\t20\teyes_open\n9.5\t0\tboundary\n30\t0\tgo\n30.2\t0\tboundary\n"
    go = {"of": "event", "at": "go", "column": "trial_type", "classes": "all", "window": [1, 2]}
    windows, _ = cut(table, {"eyes": EYES, "go": go})
    broken = windows[windows["reason"] == BROKEN]
    assert sorted(zip(broken["kind"], broken["start"], strict=True)) == [
        ("eyes", 800),
        ("fixed", 800),
        ("fixed", 3000),
        ("go", 3100),  # samples were dropped between the event and its window
    ]


def test_people_who_see_one_movie_share_its_moments(cut: Cut) -> None:
    movie = {"of": "moment", "column": "movie", "classes": "all", "starts": "second", "grid_seconds": 2}
    moments = []
    for onset, second in ((3.0, "0"), (7.5, "0"), (0.5, "1")):
        shown = f"{onset}\t12\tmovie\tUp\t{second}"
        table = f"onset\tduration\ttrial_type\tmovie\tsecond\n{shown}\n40\t5\trest\tn/a\tn/a\n"
        windows, _ = cut(table, {"movie": movie})
        own = windows[windows["kind"] == "movie"]
        assert set(own["stream"]) == set(own["movie"]) == {"Up"}
        assert list(own["start"] / 100 - onset + float(second)) == list(own["moment"])
        moments.append(list(own["moment"]))
    assert moments == [[0, 2, 4, 6, 8, 10], [0, 2, 4, 6, 8, 10], [2, 4, 6, 8, 10]]


def test_a_movie_whose_time_is_not_known_gives_no_window_and_is_counted(cut: Cut) -> None:
    movie = {"of": "moment", "column": "movie", "classes": "all", "starts": "second"}
    windows, notes = cut("onset\tduration\tmovie\tsecond\n3\t12\tUp\tn/a\n", {"movie": movie})
    assert set(windows["kind"]) == {"fixed"}
    assert notes == {"movie intervals of unknown second": 1}


def test_a_number_of_a_block_stands_on_its_windows_and_on_those_of_the_grid_within_it(cut: Cut) -> None:
    table = "onset\tduration\tload\n0\t10\t1\n10\t9\t3\n30\t0\tn/a\n"
    windows, _ = cut(table, {"load": {"of": "interval", "column": "load", "range": [1, 2]}})
    own, fixed = (windows[windows["kind"] == kind] for kind in ("load", "fixed"))
    assert list(own["start"]) == [0, 200, 400, 600, 800]
    assert set(own["load"]) == {1.0}
    assert fixed["load"].notna().sum() == 5
    assert set(own["stream"]) == {""}


def test_labels_of_other_tasks_and_datasets_give_no_windows(cut: Cut) -> None:
    table = "onset\tduration\ttrial_type\n2\t20\teyes_open\n"
    for limit in ({"tasks": ["eyes"]}, {"datasets": ["another"]}):
        windows, _ = cut(table, {"eyes": EYES | limit})
        assert set(windows["kind"]) == {"fixed"}
        assert set(windows["eyes"]) == {""}
    windows, _ = cut(table, {"eyes": EYES | {"tasks": ["eyes"]}}, task="eyes")
    assert set(windows["kind"]) == {"fixed", "eyes"}


def test_a_reader_interprets_its_own_codes_and_says_which_events_are_not_to_be_used(cut: Cut) -> None:
    state = {"of": "moment", "column": "state", "classes": ["calm", "stressed"], "grid_seconds": 2}
    table = "onset\tduration\tvalue\n5\t0\t11\n30\t0\t12\n"
    windows, notes = cut(table, {"state": state}, reader="reader_of_own_codes")
    own = windows[windows["kind"] == "state"]
    assert own.groupby("state")["reason"].unique().map(list).to_dict() == {
        "calm": [""],
        "stressed": ["left the room"],
    }
    assert notes == {"codes": 2}


def test_a_column_named_reason_of_an_uninterpreted_table_is_a_column_like_another(cut: Cut) -> None:
    table = "onset\tduration\treason\n5\t10\tpause\n20\t10\ttalk\n"
    windows, _ = cut(table, {"why": {"of": "interval", "column": "reason", "classes": "all"}})
    own = windows[windows["kind"] == "why"]
    assert set(own["why"]) == {"pause", "talk"}
    assert set(own["reason"]) == {""}
