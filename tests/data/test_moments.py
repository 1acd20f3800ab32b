"""Which windows belong together, by the columns `stream` and `moment` of the window index."""

import pandas as pd
import pytest
import torch

from cerebro.config import ContrastPhase
from cerebro.data.augmentation import JitteredMoments
from cerebro.data.moments import shared_moments, with_source
from cerebro.data.phase_windows import phase_windows
from cerebro.data.window_check import check_windows
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError

BLANK = {
    "kind": "movie",
    "dataset": "hbn",
    "recording": "r0",
    "shard": "hbn-0",
    "start": 0,
    "length": 200,
    "subject": "s0",
    "split": "train",
    "keep": True,
    "stream": "",
    "moment": 0.0,
}


def index(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame([{**BLANK, **row} for row in rows])


def contrast(**sources: float) -> ContrastPhase:
    return ContrastPhase(kind="contrast", sources=sources)


def test_moments_meet_although_they_differ_by_rounding():
    rows = [
        {"moment": time, "subject": subject} for time, subject in ((3.0, "a"), (3.0000001, "b"), (4.0, "b"))
    ]
    found = with_source(index(*rows), "movie")["moment"]
    assert found[0] == found[1] != found[2]


def test_shared_moments_are_counted_by_subjects_not_by_windows():
    rows = [{"subject": "a"}, {"subject": "a"}, {"subject": "a", "stream": "other"}, {"subject": "b"}]
    assert shared_moments(with_source(index(*rows), "trial"), 2).to_dict() == {"trial": 1}


def test_windows_whose_class_is_unknown_are_left_out(labels):
    table = index({"kind": "condition", "stream": "bg1"}, {"kind": "condition"})
    phase = contrast(condition=1.0)
    assert len(phase_windows(table, "contrast", phase, "train", labels)) == 1
    with pytest.raises(UserError, match="source condition: none of 1 says its class"):
        phase_windows(table[1:2], "contrast", phase, "train", labels)


def test_a_phase_takes_the_windows_of_its_sources_and_of_no_other(labels):
    table = index(*({"kind": kind, "stream": "x"} for kind in ("movie", "eyes", "trial")))
    for sources in ({"movie": 1.0}, {"movie": 1.0, "trial": 0.5}, {"eyes": 1.0}):
        found = phase_windows(table, "contrast", contrast(**sources), "train", labels)
        assert set(found["source"]) == set(sources)


def test_sources_whose_windows_differ_in_length_are_refused(labels):
    table = index({"stream": "m"}, {"kind": "eyes", "stream": "open", "length": 400})
    with pytest.raises(UserError, match=r"'contrast' compares windows of one length.*eyes 4 s, movie 2 s"):
        phase_windows(table, "contrast", contrast(movie=1.0, eyes=1.0), "train", labels)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "fixed"}, "2 windows in the index, 0 of kind 'eyes'"),
        ({"split": "test"}, "1 of kind 'eyes', 0 in split train"),
        ({"keep": False}, "1 in split train, 0 that quality kept"),
    ],
)
def test_a_source_without_windows_names_the_phase_the_source_and_the_filter(change, words, labels, tmp_path):
    table = index({"kind": "movie", "stream": "m"}, {"kind": "eyes", "stream": "open", **change})
    table.to_parquet(tmp_path / "index.parquet")
    phase = {"kind": "contrast", "sources": {"movie": 1.0, "eyes": 1.0}}
    declared = {name: labels[name].model_dump(mode="json") for name in phase["sources"]}
    settings = {"phases": {"second": phase}, "labels": declared}
    with pytest.raises(UserError, match=r"'second' .*source eyes") as caught:
        check_windows(settings, index=tmp_path / "index.parquet", output=tmp_path / "out.json")
    assert words in str(caught.value)


def film_and_eyes(study, labels) -> pd.DataFrame:
    """Training windows of movies and eyes, with their moments."""
    phase = ContrastPhase(kind="contrast", sources={"movie": 0.5, "eyes": 0.5})
    return phase_windows(study.table, "contrast", phase, "train", labels)


def test_windows_of_a_film_moment_move_together_and_take_their_moment_along(study, labels):
    table = film_and_eyes(study, labels)
    jittered = JitteredMoments(
        table, study.shards, ["moment"], stimuli=["movie"], subjects=3, lag_seconds=0.5, sfreq=100, seed=0
    )
    movie = table.index[table["source"] == "movie"]
    rows = [row for moment in range(2, 6) for row in movie[moment : moment + 36 : 12]]
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


def test_windows_of_other_sources_stay_and_none_leaves_its_recording(study, labels):
    table = film_and_eyes(study, labels)
    jittered = JitteredMoments(
        table, study.shards, ["moment"], stimuli=["movie"], subjects=2, lag_seconds=1.0, sfreq=100, seed=0
    )
    eyes = table.index[table["source"] == "eyes"][:8]
    nominal = WindowDataset(table, study.shards)[list(eyes)]
    torch.testing.assert_close(jittered[list(eyes)]["signal"], nominal["signal"])
    movie = table.index[table["source"] == "movie"]
    ends = [movie[0], movie[12], movie[11], movie[23]]  # the first and the last window of two recordings
    moved = jittered[ends]["moment"] - torch.tensor(table["moment"].to_numpy()[ends])
    assert (moved[:2] >= 0).all()
    assert (moved[2:] <= 0).all()


def test_devices_that_share_a_batch_move_its_moments_alike(study, labels):
    table = film_and_eyes(study, labels)
    jittered = JitteredMoments(
        table, study.shards, ["moment"], stimuli=["movie"], subjects=2, lag_seconds=0.5, sfreq=100, seed=0
    )
    movie = table.index[table["source"] == "movie"]
    rows = [row for moment in range(2, 6) for row in movie[moment : moment + 24 : 12]]
    whole = jittered[rows]["moment"]
    torch.testing.assert_close(torch.cat([jittered[rows[:4]]["moment"], jittered[rows[4:]]["moment"]]), whole)
