from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch.distributed as dist

from cerebro.data.samplers import MixedSampler, MomentSampler, SequentialSampler, ShuffledSampler
from cerebro.data.spread import spread
from cerebro.errors import UserError


def rows(sampler, epochs: range) -> list[list[list[int]]]:
    batches = []
    for epoch in epochs:
        sampler.set_epoch(epoch)
        batches.append(list(sampler))
    return batches


def test_every_window_comes_once_before_any_comes_again():
    sampler = ShuffledSampler(10, batch_size=4, steps=5, seed=0)
    drawn = [row for epoch in rows(sampler, range(2)) for batch in epoch for row in batch]
    assert len(drawn) == 40
    for first in range(0, 40, 10):
        assert sorted(drawn[first : first + 10]) == list(range(10))
    assert drawn[:10] != drawn[10:20]


@pytest.mark.parametrize("kind", ["shuffled", "mixed", "moment"])
def test_an_epoch_is_the_same_whether_reached_by_running_or_by_resuming(kind):
    table = movie_table(subjects=4, moments=8)
    make = {
        "shuffled": lambda seed: ShuffledSampler(50, batch_size=8, steps=3, seed=seed),
        "mixed": lambda seed: MixedSampler(
            pd.Series(["a"] * 30 + ["b"] * 5), {"a": 0.7, "b": 0.3}, batch_size=8, steps=3, seed=seed
        ),
        "moment": lambda seed: MomentSampler(table, FILM, batch_size=6, subjects=2, steps=3, seed=seed),
    }[kind]
    assert rows(make(1), range(4))[3] == rows(make(1), range(3, 4))[0]
    assert rows(make(1), range(1)) != rows(make(2), range(1))
    assert rows(make(1), range(1)) != rows(make(1), range(1, 2))


FILM = {"movie": 1.0}


def movie_table(subjects: int, moments: int) -> pd.DataFrame:
    grid = [("m", float(moment), f"s{subject}") for subject in range(subjects) for moment in range(moments)]
    table = pd.DataFrame(grid, columns=["stream", "moment", "subject"])
    return table.assign(source="movie")


def eyes_table(subjects: int, windows: int) -> pd.DataFrame:
    """Windows with eyes open and closed; the later a subject, the more windows it has."""
    grid = [
        (eyes, 0.0, f"s{subject}")
        for subject in range(subjects)
        for eyes in ("open", "closed")
        for _ in range(windows * (subject + 1))
    ]
    table = pd.DataFrame(grid, columns=["stream", "moment", "subject"])
    return table.assign(source="eyes")


def test_a_batch_holds_different_moments_each_seen_by_different_subjects():
    table = movie_table(subjects=5, moments=9)
    sampler = MomentSampler(table, FILM, batch_size=12, subjects=3, steps=10, seed=0)
    for batch in sampler:
        chosen = table.iloc[batch]
        assert len(chosen) == 12
        assert set(Counter(chosen["moment"]).values()) == {3}
        assert chosen.groupby("moment")["subject"].nunique().eq(3).all()


def test_sources_share_a_batch_by_their_weights_and_a_moment_stays_together():
    table = pd.concat([movie_table(5, 40), eyes_table(5, 3)], ignore_index=True)
    weights = {"movie": 0.75, "eyes": 0.25}
    sampler = MomentSampler(table, weights, batch_size=64, subjects=2, steps=5, seed=0)
    for batch in sampler:
        chosen = table.iloc[batch]
        assert Counter(chosen["source"]) == {"movie": 48, "eyes": 16}
        pairs = chosen.groupby(np.arange(64) // 2)
        assert pairs["stream"].nunique().eq(1).all()
        assert pairs["moment"].nunique().eq(1).all()
        assert pairs["subject"].nunique().eq(2).all()


def test_few_moments_come_equally_often_and_subjects_with_equal_chances_whatever_their_windows():
    table = eyes_table(subjects=4, windows=5)
    sampler = MomentSampler(table, {"eyes": 1.0}, batch_size=40, subjects=2, steps=100, seed=0)
    batches = list(sampler)
    for batch in batches:
        assert Counter(table["stream"].iloc[batch]) == {"open": 20, "closed": 20}
    share = table["subject"].iloc[np.concatenate(batches)].value_counts(normalize=True)
    assert share.between(0.22, 0.28).all()


def test_held_out_subjects_stand_in_every_validation_pair():
    table = movie_table(subjects=5, moments=9)
    held_out = table["subject"] == "s4"
    sampler = MomentSampler(table, FILM, batch_size=8, subjects=2, steps=5, seed=0, held_out=held_out)
    for batch in sampler:
        assert held_out.iloc[batch].groupby(table["moment"].iloc[batch]).sum().eq(1).all()


def test_moments_that_one_subject_met_are_refused_with_their_source():
    with pytest.raises(UserError, match="source movie: 0 moments"):
        MomentSampler(movie_table(1, 9), FILM, batch_size=8, subjects=2, steps=1, seed=0)
    both = pd.concat([movie_table(3, 9), eyes_table(1, 9)])
    weights = {"movie": 1.0, "eyes": 1.0}
    with pytest.raises(UserError, match="source eyes"):
        MomentSampler(both, weights, batch_size=8, subjects=2, steps=1, seed=0)


def test_ranks_share_each_batch_without_overlap(monkeypatch):
    table = movie_table(subjects=4, moments=8)
    whole = rows(MomentSampler(table, FILM, batch_size=8, subjects=2, steps=4, seed=0), range(1))[0]
    shares = []
    for rank in range(2):
        monkeypatch.setattr(dist, "is_initialized", lambda: True)
        monkeypatch.setattr(dist, "get_rank", lambda rank=rank: rank)
        monkeypatch.setattr(dist, "get_world_size", lambda: 2)
        shares.append(
            rows(MomentSampler(table, FILM, batch_size=8, subjects=2, steps=4, seed=0), range(1))[0]
        )
    for batch, first, second in zip(whole, *shares, strict=True):
        assert sorted(first + second) == sorted(batch)
        assert len(first) == len(second)
        assert table.iloc[first].groupby("moment")["subject"].count().eq(2).all()


def test_sequential_visits_each_row_once():
    sampler = SequentialSampler(np.arange(17), batch_size=4)
    assert [row for batch in sampler for row in batch] == list(range(17))
    assert {len(batch) for batch in sampler} <= {3, 4}


def test_spread_keeps_ends_and_spacing():
    assert spread(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert spread(101, 3).tolist() == [0, 50, 100]
