"""What is odd in HBN's tables is read right, in tables that lie here: these tests need no archive."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from eegdash.hbn.windows import build_trial_table

from cerebro.config import AnyLabel, Windows
from cerebro.recordings.bids_tables import read_participants
from cerebro.recordings.events import BREAKS, read_events
from cerebro.recordings.hbn import scan
from cerebro.recordings.hbn_conditions import learning_blocks, surround_stimuli, symbol_trials
from cerebro.recordings.hbn_contrast_change import contrast_change_trials, runs_within
from cerebro.recordings.hbn_movies import DROPPED, MOVIES, PAUSED, movie_intervals
from cerebro.recordings.hbn_resting_state import eyes_intervals
from cerebro.recordings.same_eeg import Timed, find_copies
from cerebro.shards.candidates import BROKEN, candidates, recording_events


def path_of(root: Path, name: str) -> Path:
    return root / name.split("_")[0] / "eeg" / f"{name}_events.tsv"


def events_of(root: Path, name: str) -> pd.DataFrame:
    return read_events(path_of(root, name))


def seconds_of(path: Path) -> float:
    header = path.with_name(path.name.replace("_events.tsv", "_eeg.json"))
    if header.exists():
        return float(json.loads(header.read_text())["RecordingDuration"])
    return float(read_events(path)["onset"].max()) + 0.5


def windows_of(path: Path, notes: Counter[str], labels: Mapping[str, AnyLabel]) -> pd.DataFrame:
    found = re.fullmatch(r"(sub-\w+?)_task-(\w+?)(?:_run-(\d))?_events.tsv", path.name)
    assert found
    row: dict[str, Any] = {
        "recording": path.name,
        "path": str(path.with_name(path.name.replace("_events.tsv", "_eeg.set"))),
        "reader": "hbn",
        "dataset": "hbn",
        "task": found[2],
        "run": found[3] or "",
        "person": json.dumps({"externalizing": "0.5"}),
        "facts": "{}",
    }
    n_times = round(seconds_of(path) * 100)
    events = recording_events(row, notes)
    windows = Windows(crops=("contrastChangeDetection",))
    return candidates(row, events, n_times=n_times, sfreq=100.0, windows=windows, labels=labels, notes=notes)


@pytest.mark.filterwarnings("error::UserWarning")
def test_every_table_is_read_whole_and_in_the_time_of_its_samples(small_sidecars: Path) -> None:
    files = sorted(small_sidecars.glob("sub-*/eeg/*_events.tsv"))
    assert len(files) == 14
    for path in files:
        table, events = pd.read_csv(path, sep="\t"), read_events(path)
        assert len(events) == len(table)
        between = (table["sample"] % 1 != 0).to_numpy()
        np.testing.assert_allclose(events["onset"][~between], table["sample"][~between] / 500, atol=1e-6)
        assert (events["value"][between] == "boundary").all()


@pytest.mark.filterwarnings("error::UserWarning")
def test_trials_equal_those_of_the_reference_whatever_else_the_file_holds(small_sidecars: Path) -> None:
    answered = {}
    for path in sorted(small_sidecars.glob("sub-*/eeg/*contrastChange*_events.tsv")):
        expected = build_trial_table(pd.read_csv(path, sep="\t"))
        trials = contrast_change_trials(read_events(path))
        pd.testing.assert_frame_equal(trials[expected.columns], expected)
        name = path.name[4:8] + " " + path.name.split("run-")[1][0]
        answered[name] = int(trials["rt_from_stimulus"].notna().sum())
    # The last of the six starts of a block has no end; of the others one shows nothing, one is not answered.
    assert answered == {"ODD1 1": 3, "ODD1 2": 7, "ODD1 3": 3, "ODD2 1": 5}


def test_the_first_press_after_the_target_counts_and_none_on_the_next_start(small_sidecars: Path) -> None:
    trials = contrast_change_trials(events_of(small_sidecars, "sub-ODD1_task-contrastChangeDetection_run-1"))
    np.testing.assert_allclose(trials["rt_from_stimulus"], [0.13, np.nan, 1.51, np.nan, 1.216], atol=1e-9)
    assert list(trials["correct"]) == [True, None, True, None, False]
    assert list(trials["side"]) == ["left", "", "left", "right", "left"]


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("sub-ODD1_task-contrastChangeDetection_run-2", ["2", "3"]),
        ("sub-ODD2_task-contrastChangeDetection_run-1", ["1"]),
    ],
)
def test_blocks_that_a_file_holds_are_told(name: str, runs: list[str], small_sidecars: Path) -> None:
    assert runs_within(events_of(small_sidecars, name)) == runs


def test_eeg_that_lies_in_two_files_is_kept_by_the_one_that_was_cut_for_it(small_sidecars: Path) -> None:
    timed = [
        Timed(name=path.name, events=read_events(path), duration=seconds_of(path))
        for path in sorted(small_sidecars.glob("sub-*/eeg/*_events.tsv"))
    ]
    short = {one.name: re.sub(r"sub-|task-|_events.tsv", "", one.name) for one in timed}
    for subject, expected in (
        (
            "sub-ODD1",
            {
                ("ODD1_contrastChangeDetection_run-2", 103.0, 168.0, "ODD1_contrastChangeDetection_run-3"),
                ("ODD1_contrastChangeDetection_run-3", 102.0, 285.0, "ODD1_DespicableMe"),
            },
        ),
        ("sub-ODD2", set()),  # what was broken off and begun again is other EEG
    ):
        copies = find_copies([one for one in timed if one.name.startswith(subject)])
        assert {(short[one.recording], one.start, one.stop, short[one.kept_in]) for one in copies} == expected


def test_movies_are_known_by_their_code_and_not_by_the_files_name(small_sidecars: Path) -> None:
    two = movie_intervals(events_of(small_sidecars, "sub-ODD2_task-DiaryOfAWimpyKid"), duration=310.0)
    assert list(two["movie"]) == ["FunwithFractals", "DiaryOfAWimpyKid"]
    assert list(two["reason"]) == ["", ""]
    inside = movie_intervals(events_of(small_sidecars, "sub-ODD1_task-surroundSupp_run-2"), duration=470.0)
    assert list(inside["movie"]) == ["ThePresent"]


def test_movies_without_a_stop_paused_or_with_dropped_samples(small_sidecars: Path) -> None:
    (open_end,) = movie_intervals(
        events_of(small_sidecars, "sub-ODD2_task-FunwithFractals"), duration=140.0
    ).to_dict("records")
    assert (open_end["start"], open_end["stop"], open_end["has_stop"]) == (1.5, 140.0, False)
    (paused,) = movie_intervals(
        events_of(small_sidecars, "sub-ODD2_task-ThePresent"), duration=300.0
    ).to_dict("records")
    assert paused["reason"] == PAUSED
    before, behind = movie_intervals(
        events_of(small_sidecars, "sub-ODD2_task-DespicableMe"), duration=170.0
    ).to_dict("records")
    assert (before["movie_time"], before["stop"]) == (0.0, 50.001)
    assert behind["movie_time"] == pytest.approx(170.546 - (161.25 - 50.001))
    assert DROPPED not in (before["reason"], behind["reason"])


def test_the_last_open_interval_ends_with_the_recorders_mark(small_sidecars: Path) -> None:
    intervals = eyes_intervals(events_of(small_sidecars, "sub-ODD1_task-RestingState"), duration=215.0)
    assert list(intervals["eyes"]) == ["open", "closed", "open", "closed", "open"]
    np.testing.assert_allclose(intervals["stop"] - intervals["start"], [20, 40, 20, 40, 4.4])
    assert not intervals["note"].any()


def test_conditions_and_answers_are_read_and_missing_ones_cost_no_window(small_sidecars: Path) -> None:
    stimuli = surround_stimuli(events_of(small_sidecars, "sub-ODD1_task-surroundSupp_run-2"), duration=470.0)
    assert len(stimuli) == 64
    np.testing.assert_allclose(stimuli["stop"] - stimuli["start"], 2.4)
    assert list(stimuli["condition"][4:7]) == ["bg0_fg0_cond2", "", "bg0_fg0.6_cond1"]
    blocks = learning_blocks(events_of(small_sidecars, "sub-ODD1_task-seqLearning6target"), duration=140.301)
    assert list(blocks["condition"]) == [f"block{number}" for number in range(1, 6)]
    np.testing.assert_allclose(blocks["correct"], [4 / 6, 1, 1, 1, 1])
    without = learning_blocks(events_of(small_sidecars, "sub-ODD2_task-seqLearning8target"), duration=140.0)
    assert len(without) == 5
    assert without["correct"].isna().all()
    search = symbol_trials(events_of(small_sidecars, "sub-ODD1_task-symbolSearch"), duration=60.0)
    assert list(search["condition"]) == ["present", "absent", "present", "present", ""]
    np.testing.assert_array_equal(search["correct"], [1, 1, 0, 1, np.nan])


@pytest.mark.filterwarnings("error::UserWarning")
def test_people_without_factors_lack_these_labels_only(small_sidecars: Path) -> None:
    people = read_participants(small_sidecars / "participants.tsv")
    known, unknown = people["sub-ODD1"], people["sub-ODD2"]
    assert (known["age"], known["sex"], known["externalizing"]) == ("7.25", "F", "-0.6")
    assert (unknown["age"], unknown["sex"]) == ("16.5", "M")
    assert not {"p_factor", "externalizing"} & set(unknown)


def test_every_table_belongs_to_a_recording_that_would_be_found(small_sidecars: Path, tmp_path: Path) -> None:
    root = tmp_path / "R1"
    names = set()
    for path in small_sidecars.glob("sub-*/eeg/*_events.tsv"):
        recording = root / path.relative_to(small_sidecars).with_name(
            path.name.replace("_events.tsv", "_eeg.set")
        )
        recording.parent.mkdir(parents=True, exist_ok=True)
        recording.touch()
        names.add(recording)
    (root / "participants.tsv").write_text((small_sidecars / "participants.tsv").read_text())
    assert {one.path for one in scan([root]) if one.release == "R1" and not one.problem} == names


def test_windows_lie_inside_and_what_gives_none_is_counted(
    small_sidecars: Path, labels: Mapping[str, AnyLabel]
) -> None:
    notes: Counter[str] = Counter()
    kinds: dict[str, set[str]] = {}
    for path in sorted(small_sidecars.glob("sub-*/eeg/*_events.tsv")):
        windows = windows_of(path, notes, labels)
        assert (windows["start"] >= 0).all()
        assert (windows["start"] + windows["length"] <= round(seconds_of(path) * 100)).all()
        assert not (windows["reaction_time"] < 0).any()
        marks = read_events(path)
        marks = marks.loc[marks["value"].isin(BREAKS), "onset"].to_numpy() * 100
        start, stop = windows["start"].to_numpy(), (windows["start"] + windows["length"]).to_numpy()
        over = ((start[:, None] < marks - 1) & (stop[:, None] > marks + 1)).any(axis=1)
        usable = (windows["reason"] == "") & ~windows["kind"].isin(["reaction_time", "trial"])
        assert not (over & usable).any()
        assert (windows.loc[over & (windows["kind"] == "fixed"), "reason"] == BROKEN).all()
        task = path.name.split("task-")[1].split("_")[0]
        kinds.setdefault(task, set()).update(windows["kind"])
    assert {task: sorted(found - {"fixed"}) for task, found in kinds.items()} == {
        "RestingState": ["eyes"],
        "contrastChangeDetection": ["crop", "reaction_time", "trial"],
        "surroundSupp": ["condition"],
        "seqLearning6target": ["condition"],
        "seqLearning8target": ["condition"],
        "symbolSearch": ["condition"],
        **{name: ["movie"] for name, _ in MOVIES.values()},
    }
    assert {name: size for name, size in notes.items() if size} == {
        "contrast change recordings that hold another run's block": 1,
        "trials without a target": 6,
        "trials with a target and no press": 5,
        "movies without a stop": 1,
        "movie recordings with two movies": 1,
        "movie recordings that hold another movie": 1,
        f"movies: {PAUSED}": 1,
        "surroundSupp intervals without a condition": 1,
        "seqLearning8target intervals without an answer": 5,
        "symbolSearch intervals without a condition": 1,
        "symbolSearch intervals without an answer": 1,
    }
