"""Longer windows from neighbouring ones."""

import numpy as np
import pandas as pd
import pytest

from cerebro.config import ContrastPhase, FinetunePhase, PretrainPhase, TokenizerPhase
from cerebro.data.joining import joined
from cerebro.data.phase_windows import phase_windows
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError


def windows(starts: list[int], **columns: object) -> pd.DataFrame:
    table = pd.DataFrame({"kind": "fixed", "recording": "r", "start": starts, "length": 200})
    return table.assign(**columns)


def test_neighbours_are_joined_in_order_without_overlap_and_never_across_a_gap():
    found = joined(windows([0, 200, 400, 800, 1000, 1200, 1400]), 4.0)
    assert found["start"].tolist() == [0, 800, 1200]
    assert (found["length"] == 400).all()


def test_recordings_and_kinds_are_never_joined_with_one_another():
    table = windows([0, 200, 400, 600], recording=["a", "a", "b", "b"])
    assert joined(table, 4.0)["recording"].tolist() == ["a", "b"]
    assert joined(table.assign(kind=["x", "y", "x", "y"]), 4.0).empty


def test_a_label_is_the_same_all_through_a_joined_window_and_known():
    table = windows([0, 200, 400, 600, 800, 1000], eyes=[0.0, 0.0, 1.0, 1.0, np.nan, np.nan])
    assert joined(table, 4.0, by=["eyes"])["eyes"].tolist() == [0.0, 1.0]
    shifted = table.assign(eyes=[0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    assert joined(shifted, 4.0, by=["eyes"])["start"].tolist() == [200, 600]


def test_a_label_beside_it_becomes_unknown_where_the_parts_differ():
    table = windows([0, 200, 400, 600], eyes=[0.0, 0.0, 0.0, 1.0])
    found = joined(table, 4.0, agree=["eyes"])
    assert found["eyes"].tolist()[0] == 0.0
    assert np.isnan(found["eyes"][1])


def test_joined_windows_of_different_people_begin_at_the_same_moments():
    """Overlapping windows of a movie, one of which somebody lacks between two joined ones."""
    moments = np.arange(0, 12.0)
    one = windows([100 * number for number in range(12)], moment=moments)
    other = one.drop(index=1).assign(recording="q")
    found = joined(pd.concat([one, other], ignore_index=True), 4.0, moments=True)
    assert found.groupby("recording")["moment"].apply(list).to_dict() == {
        "r": [0, 4, 8],
        "q": [0, 4, 8],
    }


def test_a_joined_window_is_read_as_the_samples_of_its_parts(study, labels):
    phase = TokenizerPhase(kind="tokenizer", window_seconds=4)
    table = phase_windows(study.table, "tokenizer", phase, "train", labels)
    assert len(table) == 6 * 12 / 2
    whole = WindowDataset(table, study.shards)[[5]]["signal"][0]
    parts = study.table.query("kind == 'fixed' and split == 'train'").reset_index(drop=True)
    assert parts["start"][10] == table["start"][5]
    halves = WindowDataset(parts, study.shards)[[10, 11]]["signal"]
    assert np.array_equal(whole, np.concatenate([halves[0], halves[1]], axis=-1))


def test_every_kind_of_phase_joins_its_windows_or_says_why_not(study, labels):
    pretrain = PretrainPhase(
        kind="pretrain", target="signal", mix={"hbn": 1.0}, auxiliary={"age": 1.0}, window_seconds=6
    )
    contrast = ContrastPhase(kind="contrast", sources={"movie": 1.0}, window_seconds=4)
    age = FinetunePhase(kind="finetune", target="age", window_seconds=4)
    moment = FinetunePhase(kind="finetune", target="reaction_time", window_seconds=4)
    odd = age.model_copy(update={"window_seconds": 3.0})
    assert len(phase_windows(study.table, "x", pretrain, "train", labels)) == 4 * 12 / 3
    assert len(phase_windows(study.table, "x", age, "validation", labels)) == 3 * 12 / 2
    for phase, reason in (
        (moment, "those of an event stand alone"),
        (odd, "windows of 2 s cannot be joined"),
        (contrast.model_copy(update={"sources": {"eyes": 1.0}}), "none of 48 has neighbours"),
    ):
        with pytest.raises(UserError, match=reason):
            phase_windows(study.table, "x", phase, "train", labels)
