import numpy as np
import pandas as pd
import pytest

from cerebro.config import FinetunePhase, PretrainPhase
from cerebro.data.phase_windows import phase_windows
from cerebro.data.subjects import part_of_subjects, shuffled
from cerebro.errors import UserError


def index_of(counts: dict[str, int]) -> pd.DataFrame:
    """An index of training subjects, two windows each, and of one more in each other split."""
    rows = [
        {"dataset": dataset, "subject": f"{dataset}-{number}", "split": "train"}
        for dataset, count in counts.items()
        for number in range(count)
        for _ in range(2)
    ]
    rows += [
        {"dataset": "hbn", "subject": f"hbn-{split}", "split": split} for split in ("validation", "test")
    ]
    return pd.DataFrame(rows)


def test_a_smaller_share_is_a_part_of_a_larger_one_and_holds_the_share_of_each_dataset():
    index = index_of({"hbn": 40, "tuh": 10})
    quarter, half = (set(part_of_subjects(index, share, seed=3, purpose="")) for share in (0.25, 0.5))
    assert quarter < half
    for part, hbn, tuh in ((quarter, 10, 3), (half, 20, 5)):
        assert sum(name.startswith("hbn") for name in part) == hbn
        assert sum(name.startswith("tuh") for name in part) == tuh
    assert "hbn-test" not in half


def test_the_order_depends_on_the_seed_and_on_nobody_else():
    small, large = index_of({"hbn": 20}), index_of({"hbn": 40})
    first = part_of_subjects(small, 0.5, seed=0, purpose="")
    assert first != part_of_subjects(small, 0.5, seed=1, purpose="")
    more = part_of_subjects(large, 1.0, seed=0, purpose="")
    assert [name for name in more if name in set(first)] == first


def test_a_share_of_nobody_says_so():
    with pytest.raises(UserError, match=r"phases\.x\.subject_share: 0\.1 of the 3 training subjects of tuh"):
        part_of_subjects(index_of({"hbn": 40, "tuh": 3}), 0.1, seed=0, purpose="phases.x")


def test_phases_of_one_lineage_learn_from_the_same_part_and_validate_on_all(study, labels):
    share = {"subject_share": 0.5}
    pretrain = PretrainPhase(kind="pretrain", target="signal", mix={"hbn": 0.7, "tuh": 0.3}, **share)
    finetune = FinetunePhase(kind="finetune", target="reaction_time", seed=4, **share)
    first = phase_windows(study.table, "pretrain", pretrain, "train", labels)
    second = phase_windows(study.table, "reaction_time", finetune, "train", labels)
    hbn = set(first.loc[first["dataset"] == "hbn", "subject"])
    assert len(hbn) == 2
    assert set(second["subject"]) == hbn
    assert (
        phase_windows(study.table, "reaction_time", finetune, "validation", labels)["subject"].nunique() == 2
    )


def test_reaction_times_are_exchanged_between_windows_and_externalizing_between_subjects(study, labels):
    for target, kind in (("reaction_time", None), ("externalizing", "crop")):
        plain = FinetunePhase(kind="finetune", target=target, windows=kind, seed=3)
        control = plain.model_copy(update={"shuffle_labels": True})
        for split in ("train", "validation"):
            true, mixed = (
                phase_windows(study.table, "x", phase, split, labels) for phase in (plain, control)
            )
            assert (true[target] != mixed[target]).mean() > 0.3
            assert sorted(true[target]) == pytest.approx(sorted(mixed[target]))
            pd.testing.assert_frame_equal(true.drop(columns=target), mixed.drop(columns=target))
            per_subject = mixed.groupby("subject")[target].nunique()
            assert (per_subject == 1).all() == (target == "externalizing")


def test_shuffled_labels_depend_on_the_seed_alone():
    windows = pd.DataFrame({"subject": [f"s{i}" for i in range(50)], "label": np.arange(50.0)})
    first, again, other = (shuffled(windows, "label", seed=seed)["label"].tolist() for seed in (0, 0, 1))
    assert first == again != other
    assert abs(np.corrcoef(first, np.arange(50))[0, 1]) < 0.4
