import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from braindecode.datasets import BaseConcatDataset, RawDataset
from braindecode.preprocessing import create_windows_from_events
from eegdash.hbn.windows import (
    add_aux_anchors,
    add_extras_columns,
    annotate_trials_with_target,
    build_trial_table,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from cerebro.config import AnyLabel, Windows
from cerebro.errors import UserError
from cerebro.recordings import hbn
from cerebro.recordings.hbn import AGES
from cerebro.recordings.hbn_events import CONDITIONS
from cerebro.shards.candidates import BROKEN, candidates, recording_events
from cerebro.shards.windows import index_schema

TASKS = ["RestingState", "ThePresent", "contrastChangeDetection", *CONDITIONS]


def row_of(events: Path, **changes: Any) -> dict[str, Any]:
    """A row of the inventory for a recording that BIDS would keep beside these events."""
    match = re.search(r"task-([A-Za-z0-9]+)(?:_run-(\d+))?", events.name)
    assert match
    return {
        "recording": events.name,
        "path": str(events.with_name(events.name.replace("_events.tsv", "_eeg.set"))),
        "reader": "hbn",
        "dataset": "hbn",
        "task": match[1],
        "run": match[2] or "",
        "person": json.dumps({"externalizing": "0.5"}),
        "facts": "{}",
        **changes,
    }


WindowsOf = Callable[..., pd.DataFrame]
CROPPED = Windows(crops=("contrastChangeDetection",))


@pytest.fixture(scope="session")
def windows_of(labels: Mapping[str, AnyLabel]) -> WindowsOf:
    """All candidate windows of a recording by its table of events."""

    def cut(events: Path, *, n_times: int, notes: Counter[str] | None = None, **changes: Any) -> pd.DataFrame:
        row, notes = row_of(events, **changes), Counter() if notes is None else notes
        return candidates(
            row,
            recording_events(row, notes),
            n_times=n_times,
            sfreq=100.0,
            windows=CROPPED,
            labels=labels,
            notes=notes,
        )

    return cut


def duration_of(events: Path) -> float:
    return float(
        json.loads(events.with_name(events.name.replace("_events.tsv", "_eeg.json")).read_text())[
            "RecordingDuration"
        ]
    )


@pytest.mark.parametrize(
    "name",
    [
        "sub-NDARAC904DMU_task-contrastChangeDetection_run-1",
        "sub-NDARAM704GKZ_task-contrastChangeDetection_run-2",  # holds a movie and block 3
        "sub-NDARZC499NVX_task-contrastChangeDetection_run-2",  # 65 trials
        "sub-NDARNR773DL4_task-contrastChangeDetection_run-3",  # ends too early for its last window
    ],
)
def test_trial_windows_of_real_files_equal_those_of_the_start_kit(
    name: str, sidecars: Path, tmp_path: Path, windows_of: WindowsOf
) -> None:
    """The start kit's own chain: eegdash annotates, braindecode cuts."""
    source = sidecars / name.split("_")[0] / "eeg" / f"{name}_events.tsv"
    copy = tmp_path / source.relative_to(sidecars)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(source.read_bytes())
    n_times = int(pd.read_csv(source, sep="\t")["onset"].max() * 100) + 1
    recording = copy.with_name(f"{name}_eeg.set")
    silent = mne.io.RawArray(np.zeros((1, n_times)), mne.create_info(["Cz"], 100, "eeg"), verbose="error")
    mne.export.export_raw(recording, silent, verbose="error")
    raw = mne.io.read_raw_eeglab(recording, verbose="error")
    raw = add_aux_anchors(annotate_trials_with_target(raw))
    inside = raw.annotations.onset + 2.5 <= n_times / 100
    beyond = int((~inside & (raw.annotations.description == "stimulus_anchor")).sum())
    assert beyond == (name.startswith("sub-NDARNR773DL4"))
    # braindecode refuses a recording with a window beyond its end; the annotation has to go.
    trials = raw.annotations.description == "contrast_trial_start"
    stimuli = raw.annotations.description == "stimulus_anchor"
    raw.set_annotations(
        raw.annotations[(stimuli & inside) | (trials & (np.cumsum(trials) <= (stimuli & inside).sum()))]
    )
    dataset = BaseConcatDataset([RawDataset(raw)])
    reference = create_windows_from_events(
        dataset,
        mapping={"stimulus_anchor": 0},
        trial_start_offset_samples=50,
        trial_stop_offset_samples=250,
        window_size_samples=200,
        window_stride_samples=100,
        preload=True,
    )
    reference = add_extras_columns(reference, dataset, desc="stimulus_anchor")
    expected = reference.datasets[0].metadata
    windows = windows_of(copy, n_times=n_times)
    scored, trial = (windows[windows["kind"] == kind] for kind in ("reaction_time", "trial"))
    assert list(scored["start"]) == list(trial["start"]) == list(expected["i_start_in_trial"])
    np.testing.assert_array_equal(scored["reaction_time"], expected["rt_from_stimulus"].astype(float))
    right = expected["correct"].astype(bool).to_numpy()
    assert list(trial["trial"].str.partition("/")[2]) == list(np.where(right, "right", "wrong"))
    assert len(trial) > 15


def test_every_real_file_gives_windows_inside_its_recording_and_what_its_task_is_about(
    sidecars: Path, windows_of: WindowsOf
) -> None:
    notes: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    headers = sorted(sidecars.glob("sub-*/eeg/*_eeg.json"))
    paths = [path.with_name(path.name.replace("_eeg.json", "_events.tsv")) for path in headers]
    assert len(paths) == 127
    for path in paths:
        n_times = round(duration_of(path) * 100)
        windows = windows_of(path, n_times=n_times, notes=notes)
        assert (windows["start"] >= 0).all()
        assert (windows["start"] + windows["length"] <= n_times).all()
        assert not (windows["reaction_time"] < 0).any()
        kinds.setdefault(row_of(path)["task"], Counter()).update(windows["kind"])
    movies = ("DespicableMe", "DiaryOfAWimpyKid", "FunwithFractals", "ThePresent")
    assert {task: set(counted) - {"fixed"} for task, counted in kinds.items()} == {
        "RestingState": {"eyes"},
        "contrastChangeDetection": {"reaction_time", "trial", "crop"},
        **{task: {"movie"} for task in movies},
        **{task: {"condition"} for task in CONDITIONS},
    }
    assert kinds["surroundSupp"]["condition"] == 21 * 64
    trials = pd.concat(
        build_trial_table(pd.read_csv(path, sep="\t")) for path in paths if "contrastChange" in path.name
    )
    shown = trials["stimulus_onset"].notna()
    assert {name: count for name, count in notes.items() if count} == {
        "contrast change recordings that hold another run's block": 7,
        "trials without a target": int((~shown).sum()),
        "trials with a target and no press": int((shown & trials["response_onset"].isna()).sum()),
        "eyes intervals cut by the end of their recording": 1,
        "condition intervals too short for a window": 2,
    }


def test_foreign_events_make_no_windows(sidecars: Path, windows_of: WindowsOf) -> None:
    for name, foreign in (
        ("sub-NDARAC904DMU_task-RestingState", "seqLearning_start"),
        ("sub-NDARBX121UM9_task-DiaryOfAWimpyKid", "contrastTrial_start"),
        ("sub-NDARAM704GKZ_task-contrastChangeDetection_run-2", "video_start"),
        ("sub-NDARAC904DMU_task-surroundSupp_run-2", "video_start"),
    ):
        path = sidecars / name.split("_")[0] / "eeg" / f"{name}_events.tsv"
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        assert foreign in set(table["value"])
        own = {
            "RestingState": "eyes",
            "DiaryOfAWimpyKid": "movie",
            "surroundSupp": "condition",
            "contrastChangeDetection": "trial",
        }
        windows = windows_of(path, n_times=round(duration_of(path) * 100))
        assert set(windows["kind"]) <= {"fixed", "crop", "reaction_time", own[row_of(path)["task"]]}


def test_a_window_over_a_mark_of_the_recorder_is_not_kept_and_its_neighbours_are(
    tmp_path: Path, windows_of: WindowsOf
) -> None:
    path = tmp_path / "sub-A_task-symbolSearch_events.tsv"
    path.write_text("onset\tvalue\n0\t9999\n5.0\tboundary\n8.0\tbreak cnt\n19.999\tboundary\n")
    windows = windows_of(path, n_times=2000)
    broken = windows[windows["reason"] == BROKEN]
    # At 8.0 s one window ends and the next begins; the last mark is the recording's own end.
    assert list(broken["start"]) == [400]


def test_a_trial_whose_answer_lies_behind_dropped_samples_is_not_kept(
    tmp_path: Path, windows_of: WindowsOf
) -> None:
    path = tmp_path / "sub-A_task-contrastChangeDetection_run-1_events.tsv"
    rows = ["onset\tvalue"]
    for start, mark in ((10, 12.2), (20, 21.9), (30, 34.7)):
        rows += [f"{start}\tcontrastTrial_start", f"{start + 2}\tleft_target"]
        rows += [f"{mark}\tboundary", f"{start + 3.5}\tleft_buttonPress"]
    path.write_text("\n".join([*rows, "40\tcontrastTrial_start"]))
    windows = windows_of(path, n_times=6000)
    for kind in ("reaction_time", "trial"):
        assert list(windows.loc[windows["kind"] == kind, "reason"]) == [BROKEN, "", ""]


def test_what_a_reader_cannot_give_is_counted_and_the_fixed_windows_stay(
    tmp_path: Path, sidecars: Path, windows_of: WindowsOf
) -> None:
    notes: Counter[str] = Counter()
    missing = tmp_path / "sub-A_task-contrastChangeDetection_run-1_events.tsv"
    assert set(windows_of(missing, n_times=1000, notes=notes)["kind"]) == {"fixed", "crop"}
    broken = tmp_path / "sub-B_task-RestingState_events.tsv"
    broken.write_text("nothing here\n")
    with pytest.warns(UserWarning, match="has no column onset"):
        assert set(windows_of(broken, n_times=1000, notes=notes)["kind"]) == {"fixed"}
    # Real events of another task: eegdash's annotations raise a KeyError here.
    movie = sidecars / "sub-NDARAC904DMU/eeg/sub-NDARAC904DMU_task-ThePresent_events.tsv"
    other = windows_of(movie, n_times=20566, notes=notes, task="contrastChangeDetection", run="1")
    assert set(other["kind"]) == {"fixed", "crop"}
    assert {name: count for name, count in notes.items() if count} == {
        "recordings without events": 1,
        "recordings with unreadable events": 1,
        "contrast change recordings without trials": 1,
    }


def test_events_that_the_disk_does_not_give_stop_the_step(tmp_path: Path) -> None:
    (tmp_path / "sub-A_task-rest_events.tsv").symlink_to("/proc/self/mem")  # every read fails, for root too
    row = {
        "reader": "hbn",
        "path": str(tmp_path / "sub-A_task-rest_eeg.set"),
        "recording": "hbn/R1/sub-A/rest",
    }
    with pytest.raises(
        UserError, match=r"the events of .*sub-A_task-rest_eeg\.set can't be read .*again may help"
    ):
        recording_events(row, Counter())


def test_movies_are_counted_by_what_is_wrong_with_them(tmp_path: Path, windows_of: WindowsOf) -> None:
    notes: Counter[str] = Counter()
    for number, rows in enumerate(
        [
            [(1, "video_start", 84)],
            [(1, "video_start", 84), (50, "video_stop", 104)],
            [(1, "video_start", 84), (258, "video_stop", 104)],
            [
                (1, "video_start", 81),
                (118.4, "video_stop", 101),
                (120, "video_start", 84),
                (323, "video_stop", 104),
            ],
            [(1, "video_start", 82), (164, "video_stop", 102)],
            [],
        ]
    ):
        path = tmp_path / f"sub-{number}_task-ThePresent_events.tsv"
        text = "".join(f"{onset}\t{value}\t{code}\n" for onset, value, code in rows)
        path.write_text("onset\tvalue\tevent_code\n" + text)
        windows_of(path, n_times=40000, notes=notes)
    assert {name: count for name, count in notes.items() if count} == {
        "movies without a stop": 1,
        "movies: movie stopped early": 1,
        "movies: movie paused": 1,
        "movie recordings with two movies": 1,
        "movie recordings that hold another movie": 2,
        "movie recordings without a movie": 1,
    }


events_rows = st.lists(
    st.tuples(
        st.one_of(st.floats(-3, 70).map(lambda onset: f"{onset:.3f}"), st.sampled_from(["n/a", "1e9", "x"])),
        st.sampled_from(
            re.findall(
                r"\S+",
                """
                contrastTrial_start left_target right_target left_buttonPress contrastChangeB1_start
                instructed_toOpenEyes instructed_toCloseEyes video_start video_stop stim_ON fixpoint_ON
                learningBlock_1 dot_no1_OFF seqLearning_stop newPage trialResponse boundary 9999 n/a D:\\a.raw
                """,
            )
        ),
        st.sampled_from(["84", "104", "81", "n/a", "5"]),
        st.sampled_from(["smiley_face", "sad_face", "n/a"]),
        st.sampled_from(["0", "1", "0.3", "1-2-3", "n/a", "?"]),
    ),
    max_size=60,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, print_blob=True)
@given(
    rows=events_rows,
    task=st.sampled_from(TASKS),
    n_times=st.integers(0, 6000),
    columns=st.sets(st.sampled_from(["user_answer", "correct_answer", "background", "stimulus_cond"])),
)
@pytest.mark.filterwarnings("ignore:.*without a time")
def test_whatever_the_events_no_window_lies_outside_and_no_reaction_time_is_negative(
    tmp_path_factory: pytest.TempPathFactory,
    windows_of: WindowsOf,
    labels: Mapping[str, AnyLabel],
    rows: list[tuple[str, ...]],
    task: str,
    n_times: int,
    columns: set[str],
) -> None:
    path = tmp_path_factory.mktemp("events") / f"sub-A_task-{task}_run-1_events.tsv"
    header = ["onset", "value", "event_code", "feedback", *columns]
    lines = ["\t".join([*row[:4], *[row[4]] * len(columns)]) for row in rows]
    path.write_text("\n".join(["\t".join(header), *lines]))
    windows = windows_of(path, n_times=n_times)
    assert (windows["start"] >= 0).all()
    assert (windows["start"] + windows["length"] <= n_times).all()
    assert not (windows["reaction_time"] < 0).any()
    schema = index_schema(labels)
    names = [name for name in schema.names if name in windows]
    assert set(labels) <= set(names)
    pa.Table.from_pandas(windows[names], schema=pa.schema([schema.field(name) for name in names]))


def lines_of(header: str, cells: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """A table with this header, or without part of it, whose rows are too long or too short; or no table."""
    columns = header.split("\t")
    row = st.lists(cells, max_size=len(columns) + 2).map("\t".join)
    tables = st.builds(
        lambda names, rows, tail: "\n".join(["\t".join(names), *rows]).encode(errors="replace") + tail,
        st.one_of(st.just(columns), st.permutations(columns), st.lists(st.sampled_from(columns))),
        st.lists(row, max_size=25),
        st.binary(max_size=4),
    )
    return st.one_of(tables, st.binary(max_size=80))


EVENTS = lines_of(
    "onset\tvalue\tevent_code\tfeedback\tsample",
    st.one_of(
        st.floats(-5, 70).map("{:.3f}".format),
        st.sampled_from(
            ["n/a", "", "nan", "1e400", "contrastTrial_start", "left_target", "left_buttonPress"]
        ),
        st.sampled_from(
            ["video_start", "84", "104", "instructed_toOpenEyes", "boundary", "9999", "sad_face"]
        ),
    ),
)
PARTICIPANTS = lines_of(
    "participant_id\trelease_number\tsex\tage\texternalizing",
    st.sampled_from(
        ["sub-A", "A", "R1", "R5", "n/a", "", "F", "x", "9.5", "-3", "1e9", "0.5", "nan", "\u00b5"]
    ),
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None, print_blob=True)
@given(events=EVENTS, participants=PARTICIPANTS, task=st.sampled_from(TASKS), n_times=st.integers(0, 6000))
@pytest.mark.filterwarnings("ignore")
def test_whatever_the_tables_hold_the_archive_is_read_and_its_windows_are_sound(
    tmp_path_factory: pytest.TempPathFactory,
    windows_of: WindowsOf,
    events: bytes,
    participants: bytes,
    task: str,
    n_times: int,
) -> None:
    eeg = tmp_path_factory.mktemp("archive") / "R1_L100_bdf" / "sub-A" / "eeg"
    eeg.mkdir(parents=True)
    (eeg.parents[1] / "participants.tsv").write_bytes(participants)
    path = eeg / f"sub-A_task-{task}_run-1_eeg.bdf"
    path.touch()
    path.with_name(path.name.replace("_eeg.bdf", "_events.tsv")).write_bytes(events)
    (recording,) = hbn.scan([eeg.parents[1]])
    assert recording.release in ("R1", "")
    assert bool(recording.problem) == (recording.release == "")
    person = json.dumps(dict(recording.person))
    windows = windows_of(path, n_times=n_times, person=person, path=str(path))
    assert not (windows["age"] < AGES[0]).any()
    assert not (windows["age"] > AGES[1]).any()
    assert (windows["start"] >= 0).all()
    assert (windows["start"] + windows["length"] <= n_times).all()
    assert not (windows["reaction_time"] < 0).any()


def test_a_reader_without_events_gives_fixed_windows() -> None:
    row = {"recording": "a", "dataset": "mine", "path": "a.edf", "reader": "files", "task": "", "run": ""}
    row |= {"person": "{}", "facts": "{}"}
    notes: Counter[str] = Counter()
    assert recording_events(row, notes) is None
    windows = candidates(
        row, None, n_times=1000, sfreq=100.0, windows=Windows(stride_seconds=1.0), labels={}, notes=notes
    )
    assert list(windows["start"]) == list(range(0, 801, 100))
    assert set(windows["kind"]) == {"fixed"}
    assert not any(notes.values())
