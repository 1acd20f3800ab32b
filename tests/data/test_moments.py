"""Which windows belong together, by the rules of each source, on windows that real events would give."""

import numpy as np
import pandas as pd
import pytest
import torch

from cerebro.config import ContrastPhase
from cerebro.data.augmentation import JitteredMoments
from cerebro.data.moments import shared_moments, with_moments
from cerebro.data.selection import check_windows, pair_windows, phase_windows
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError

BLANK = {
    "kind": "",
    "dataset": "hbn",
    "recording": "r0",
    "shard": "hbn-0",
    "start": 0,
    "length": 200,
    "subject": "s0",
    "split": "train",
    "keep": True,
    "task": "",
    "movie": "",
    "movie_time": np.nan,
    "eyes": "",
    "trial_time": np.nan,
    "side": "",
    "correct": np.nan,
    "condition": "",
}


def index(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame([{**BLANK, **row} for row in rows])


def trial(**changes) -> dict:
    task = {"kind": "trial", "task": "contrastChangeDetection", "trial_time": 0.5}
    return {**task, "side": "left", "correct": 1.0, **changes}


def condition(**changes) -> dict:
    return {"kind": "condition", "task": "surroundSupp", "condition": "bg1", "trial_time": 0.0, **changes}


def moments(table: pd.DataFrame) -> list[tuple[str, float]]:
    return list(zip(table["stream"], table["moment"], strict=True))


def test_movie_windows_meet_at_the_same_time_of_the_same_movie():
    rows = [
        {"kind": "movie", "movie": "ThePresent", "movie_time": time, "subject": subject}
        for time, subject in ((3.0, "a"), (3.0000001, "b"), (4.0, "b"))
    ]
    first, second, third = moments(with_moments(index(*rows), "movie"))
    assert first == second
    assert third == ("movie/ThePresent", 4.0)


def test_resting_state_windows_meet_by_their_eyes_alone():
    table = with_moments(
        index({"kind": "eyes", "eyes": "open"}, {"kind": "eyes", "eyes": "closed"}), "resting_state"
    )
    assert moments(table) == [("resting_state/open", 0.0), ("resting_state/closed", 0.0)]


@pytest.mark.parametrize(
    "other",
    [
        trial(side="right"),
        trial(correct=0.0),
        condition(),
        condition(condition="bg0"),
        condition(trial_time=2.0),
        condition(task="symbolSearch"),
    ],
)
def test_trials_meet_where_task_condition_side_answer_and_phase_agree(other):
    table = with_moments(index(trial(), trial(subject="s1"), other), "task")
    first, second, third = moments(table)
    assert first == second != third


def test_shared_moments_are_counted_by_subjects_not_by_windows():
    rows = [trial(subject="a"), trial(subject="a"), trial(subject="a", side="right"), trial(subject="b")]
    assert shared_moments(with_moments(index(*rows), "task"), 2).to_dict() == {"task": 1}


def test_windows_whose_condition_is_unknown_are_left_out():
    table = index(condition(), condition(condition=""), trial())
    assert len(pair_windows(table, "task", splits=["train"], purpose="phase 'contrast'")) == 2
    with pytest.raises(UserError, match="source task: none of 1 says its condition"):
        pair_windows(table[1:2], "task", splits=["train"], purpose="phase 'contrast'")


def test_a_phase_takes_the_windows_of_its_sources_and_of_no_other():
    table = index(
        {"kind": "movie", "movie": "m", "movie_time": 1.0}, {"kind": "eyes", "eyes": "open"}, trial()
    )
    for sources in ({"movie": 1.0}, {"movie": 1.0, "task": 0.5}, {"resting_state": 1.0}):
        phase = ContrastPhase(kind="contrast", sources=sources)
        assert set(phase_windows(table, "contrast", phase, "train")["source"]) == set(sources)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "fixed"}, "2 windows in the index, 0 of kind 'eyes'"),
        ({"split": "test"}, "1 of kind 'eyes', 0 in split train"),
        ({"keep": False}, "1 in split train, 0 that quality kept"),
    ],
)
def test_a_source_without_windows_names_the_phase_the_source_and_the_filter(change, words, tmp_path):
    table = index(
        {"kind": "movie", "movie": "m", "movie_time": 1.0}, {"kind": "eyes", "eyes": "open", **change}
    )
    table.to_parquet(tmp_path / "index.parquet")
    settings = {"phases": {"second": {"kind": "contrast", "sources": {"movie": 1.0, "resting_state": 1.0}}}}
    with pytest.raises(UserError, match=r"'second' .*source resting_state") as caught:
        check_windows(settings, index=tmp_path / "index.parquet", output=tmp_path / "out.json")
    assert words in str(caught.value)


def film_and_eyes(study) -> pd.DataFrame:
    """Training windows of films and eyes, with their moments."""
    phase = ContrastPhase(kind="contrast", sources={"movie": 0.5, "resting_state": 0.5})
    return phase_windows(study.table, "contrast", phase, "train")


def test_windows_of_a_film_moment_move_together_and_take_their_moment_along(study):
    table = film_and_eyes(study)
    jittered = JitteredMoments(
        table, study.shards, ["moment"], subjects=3, lag_seconds=0.5, sfreq=100, seed=0
    )
    film = table.index[table["source"] == "movie"]
    rows = [row for moment in range(2, 6) for row in film[moment : moment + 36 : 12]]
    batch = jittered[rows]
    moved = (batch["moment"] - torch.tensor(table["moment"].to_numpy()[rows])).reshape(4, 3)
    assert (moved == moved[:, :1]).all()
    assert len(moved[:, 0].unique()) > 1
    assert moved.abs().max() <= 0.5
    for place, row in enumerate(rows):
        start = table["start"].iloc[row] + round(moved.flatten()[place].item() * 100)
        expected = table.iloc[[row]].assign(start=start).reset_index(drop=True)
        expected_signal = WindowDataset(expected, study.shards)[[0]]["signal"][0]
        torch.testing.assert_close(batch["signal"][place], expected_signal)


def test_windows_of_other_sources_stay_and_none_leaves_its_recording(study):
    table = film_and_eyes(study)
    jittered = JitteredMoments(
        table, study.shards, ["moment"], subjects=2, lag_seconds=1.0, sfreq=100, seed=0
    )
    eyes = table.index[table["source"] == "resting_state"][:8]
    nominal = WindowDataset(table, study.shards)[list(eyes)]
    torch.testing.assert_close(jittered[list(eyes)]["signal"], nominal["signal"])
    film = table.index[table["source"] == "movie"]
    ends = [film[0], film[12], film[11], film[23]]  # the first and the last window of two recordings
    moved = jittered[ends]["moment"] - torch.tensor(table["moment"].to_numpy()[ends])
    assert (moved[:2] >= 0).all()
    assert (moved[2:] <= 0).all()


def test_devices_that_share_a_batch_move_its_moments_alike(study):
    table = film_and_eyes(study)
    jittered = JitteredMoments(
        table, study.shards, ["moment"], subjects=2, lag_seconds=0.5, sfreq=100, seed=0
    )
    film = table.index[table["source"] == "movie"]
    rows = [row for moment in range(2, 6) for row in film[moment : moment + 24 : 12]]
    whole = jittered[rows]["moment"]
    torch.testing.assert_close(torch.cat([jittered[rows[:4]]["moment"], jittered[rows[4:]]["moment"]]), whole)
