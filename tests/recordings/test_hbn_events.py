"""HBN's codes as plain events, over real sidecars: what labels are declared on."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from eegdash.hbn.windows import build_trial_table

from cerebro.recordings import hbn
from cerebro.recordings.events import BREAKS, complete_events, read_events
from cerebro.recordings.hbn_events import interpret_events


def plain_of(path: Path, duration: float = 1e6) -> pd.DataFrame:
    match = re.search(r"task-([A-Za-z0-9]+)(?:_run-(\d+))?", path.name)
    assert match
    row = {"task": match[1], "run": match[2] or ""}
    return interpret_events(read_events(path), row=row, duration=duration, notes=Counter())


def plain(task: str, *rows: tuple[Any, ...], duration: float = 100.0) -> pd.DataFrame:
    events = complete_events(pd.DataFrame(rows, columns=["onset", "value", "code"]), source="a test")
    return interpret_events(events, row={"task": task, "run": "1"}, duration=duration, notes=Counter())


@pytest.mark.parametrize(
    ("task", "value", "column", "names"),
    [
        ("RestingState", "eyes", "eyes", {"open", "closed"}),
        ("ThePresent", "movie", "movie", {"ThePresent"}),
        ("symbolSearch", "condition", "condition", {"symbolSearch/present", "symbolSearch/absent"}),
        (
            "seqLearning8target",
            "condition",
            "condition",
            {f"seqLearning8target/block{number}" for number in range(1, 6)},
        ),
    ],
)
def test_each_task_has_events_of_its_own_that_last(
    sidecars: Path, task: str, value: str, column: str, names: set[str]
) -> None:
    for path in sorted(sidecars.glob(f"sub-*/eeg/*_task-{task}_events.tsv")):
        events = plain_of(path)
        own = events[events["value"] == value]
        assert set(events["value"]) <= {value, *BREAKS}
        assert (own["duration"] > 0).all()
        assert set(own[column]) == names
        assert events["onset"].is_monotonic_increasing


def test_every_real_target_has_its_side_and_its_first_press(sidecars: Path) -> None:
    for path in sorted(sidecars.glob("sub-*/eeg/*_task-contrastChangeDetection*_events.tsv"))[:40]:
        trials = build_trial_table(pd.read_csv(path, sep="\t"))
        trials = trials[trials["stimulus_onset"].notna()]
        events = plain_of(path)
        targets = events[events["value"] == "target"]
        assert list(targets["onset"]) == list(trials["stimulus_onset"])
        pd.testing.assert_series_equal(
            targets["response_time"].astype(float),
            trials["rt_from_stimulus"].astype(float),
            check_names=False,
            check_index=False,
        )
        assert set(targets["side"]) == {"left", "right"}
        answered = targets["response_time"].notna()
        verdict = targets["correct"].map({1.0: "right", 0.0: "wrong"})
        assert (targets["trial"] == targets["side"] + "/" + verdict)[answered].all()
        assert targets.loc[~answered, "trial"].isna().all()


def test_a_movie_says_at_which_of_its_seconds_a_stretch_begins_and_why_it_is_not_to_be_used() -> None:
    events = plain("DespicableMe", (10, "video_start", "83"), (50, "video_stop", "103"))
    assert events[["onset", "duration", "movie", "movie_time", "reason"]].values.tolist() == [
        [10.0, 40.0, "DespicableMe", 0.0, "movie stopped early"]
    ]


def test_marks_of_the_recorder_stay_and_foreign_codes_go() -> None:
    events = plain(
        "RestingState",
        (0, "9999", "9999"),
        (5, "instructed_toOpenEyes", "20"),
        (30, "boundary", ""),
        (40, "contrastTrial_start", "5"),
    )
    assert list(events["value"]) == ["9999", "eyes", "boundary"]
    assert list(plain("another", (3, "video_start", "83"), (9, "break cnt", ""))["value"]) == ["break cnt"]


def test_an_interval_behind_the_end_of_its_recording_is_none() -> None:
    events = plain("RestingState", (5, "instructed_toOpenEyes", "20"), (120, "instructed_toCloseEyes", "30"))
    assert list(events["eyes"]) == ["open"]


def test_a_table_whose_events_have_no_value_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "sub-A_task-RestingState_events.tsv").write_text("onset\tsample\n1\t500\n")
    with pytest.raises(ValueError, match=r"sub-A_task-RestingState_events\.tsv has no column value"):
        hbn.read_events(tmp_path / "sub-A_task-RestingState_eeg.set")
