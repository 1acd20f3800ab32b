import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from cerebro.config import IntervalLabel, PersonLabel
from cerebro.errors import UserError
from cerebro.phases.auxiliary import HeldOutLabels, label_means, label_scales

AGE = PersonLabel(of="person", column="age", log=True)
SEX = PersonLabel(of="person", column="sex", classes=["male", "female"])
FACTOR = PersonLabel(of="person", column="p_factor")
AGES = {"hbn": [6.0, 9.0, 12.0, 15.0], "tuh": [25.0, 40.0, 60.0, 80.0]}


def windows(ages: dict[str, list[float]], per_subject: int = 3) -> pd.DataFrame:
    rows = [
        {"dataset": dataset, "subject": f"{dataset}-{number}", "age": age, "sex": float(number % 2)}
        for dataset, values in ages.items()
        for number, age in enumerate(values)
    ]
    table = pd.DataFrame(rows)
    table["p_factor"] = np.where(table["dataset"] == "hbn", np.arange(len(table)) / 3, np.nan)
    return table.loc[table.index.repeat(per_subject)].reset_index(drop=True)


def test_the_loss_sees_ages_within_each_archive():
    """Over both archives one deviation is 25 years, and the children are all alike."""
    table = windows(AGES)
    scale = label_scales(table, {"age": AGE})["age"]
    for ages in AGES.values():
        targets = scale.standardise(torch.tensor(ages))
        assert 0.7 < targets.std(correction=0) < 1.3
    pooled = table.drop_duplicates("subject")["age"].std(ddof=0)
    assert np.std(AGES["hbn"]) / pooled < 0.15


def test_targets_are_the_logarithm_over_its_deviation_within_archives_and_come_back_as_years():
    table = windows({"hbn": [5.0, 10.0], "tuh": [20.0, 80.0]})
    scale = label_scales(table, {"age": AGE})["age"]
    within = np.array([-np.log(2) / 2, np.log(2) / 2, -np.log(4) / 2, np.log(4) / 2])
    assert scale.deviation == pytest.approx(np.sqrt((within**2).mean()))
    assert scale.mean == pytest.approx(np.log([5, 10, 20, 80]).mean())
    ages = torch.tensor([5.0, 33.0])
    np.testing.assert_allclose(scale.restore(scale.standardise(ages).numpy()), ages.numpy(), rtol=1e-5)


def test_a_subject_counts_once_however_many_windows_it_has():
    table = windows(AGES)
    many = pd.concat([table, table[table["subject"] == "hbn-0"].loc[lambda t: t.index.repeat(50)]])
    assert label_scales(many, {"age": AGE, "p_factor": FACTOR}) == label_scales(
        table, {"age": AGE, "p_factor": FACTOR}
    )
    assert label_means(many, {"age": AGE}) == label_means(table, {"age": AGE})
    assert label_means(table, {"age": AGE, "sex": SEX})["age"] == {"hbn": 10.5, "tuh": 51.25}


def test_a_label_of_one_archive_has_that_archives_mean_and_deviation():
    table = windows(AGES)
    factors = table.drop_duplicates("subject")["p_factor"].dropna()
    scale = label_scales(table, {"p_factor": FACTOR})["p_factor"]
    assert (scale.log, scale.mean) == (False, pytest.approx(factors.mean()))
    assert scale.deviation == pytest.approx(factors.std(ddof=0))
    assert label_means(table, {"p_factor": FACTOR})["p_factor"].keys() == {"hbn"}


def test_a_label_that_does_not_vary_within_any_archive_is_refused():
    with pytest.raises(UserError, match="'age' needs two training subjects of one dataset"):
        label_scales(windows({"hbn": [9.0], "tuh": [50.0]}), {"age": AGE})


def filled(predicted_age: dict[str, float], sex: dict[str, float]) -> HeldOutLabels:
    table, train = windows(AGES), windows({"hbn": [7.0, 11.0], "tuh": [30.0, 70.0]})
    tasks = {"age": AGE, "sex": SEX}
    held_out = HeldOutLabels(
        table, tasks, {"sex": ("male", "female")}, label_scales(train, tasks), label_means(train, tasks)
    )
    codes = torch.from_numpy(pd.factorize(table["subject"], sort=True)[0])
    ages = torch.tensor([predicted_age.get(name, 10.0) for name in table["subject"]])
    spread = torch.tensor([-0.5, 0.0, 0.5]).repeat(len(table) // 3)  # windows differ, their mean does not
    targets = held_out.scales["age"].standardise(ages) + spread
    logits = torch.tensor([sex.get(name, -1.0) for name in table["subject"]])
    for part in torch.arange(len(table)).split(5):
        held_out.add({"subject": codes[part]}, {"age": targets[part], "sex": logits[part]})
    return held_out


def test_errors_are_of_subjects_means_in_years_beside_the_training_mean_of_their_archive():
    metrics = filled({"hbn-0": 7.0, "hbn-3": 14.0, "tuh-1": 45.0}, {}).metrics()
    assert metrics["age/hbn/mae"] == pytest.approx(np.mean([1, 1, 2, 1]), rel=1e-4)
    assert metrics["age/tuh/mae"] == pytest.approx(np.mean([15, 5, 50, 70]), rel=1e-4)
    assert metrics["age/hbn/mae_floor"] == pytest.approx(np.mean([3, 0, 3, 6]))  # 9 is the training mean
    assert metrics["age/tuh/mae_floor"] == pytest.approx(np.mean([25, 10, 10, 30]))
    assert metrics["age/hbn/r"] == pytest.approx(np.corrcoef([7, 10, 10, 14], AGES["hbn"])[0, 1], rel=1e-4)


def test_balanced_accuracy_of_sex_equals_scikit_learns():
    metrics = filled({}, {"hbn-1": 2.0, "hbn-2": 0.5}).metrics()
    assert metrics["sex/hbn/balanced_accuracy"] == balanced_accuracy_score([0, 1, 0, 1], [0, 1, 1, 0])


def test_subjects_without_a_label_or_without_a_window_are_left_out():
    table = windows(AGES)
    table.loc[table["subject"] == "hbn-0", "age"] = np.nan
    held_out = HeldOutLabels(
        table, {"age": AGE}, {}, label_scales(table, {"age": AGE}), label_means(table, {"age": AGE})
    )
    assert held_out.metrics() == {}
    known = pd.Index(sorted(table["subject"].unique())).get_indexer(["hbn-0", "hbn-1"])
    target = held_out.scales["age"].standardise(torch.tensor([8.0, 8.0]))
    held_out.add({"subject": torch.from_numpy(known)}, {"age": target})
    assert held_out.metrics()["age/hbn/mae"] == pytest.approx(1, rel=1e-4)
    held_out.clear()
    assert held_out.metrics() == {}


def test_ages_without_a_logarithm_are_no_labels():
    """Infants of less than a year, and zero written for unknown."""
    ages = {"hbn": [6.0, 9.0, 0.0], "tuh": [25.0, 40.0]}
    scale = label_scales(windows(ages), {"age": AGE})["age"]
    known = label_scales(windows({"hbn": [6.0, 9.0], "tuh": [25.0, 40.0]}), {"age": AGE})["age"]
    assert scale == known
    targets = scale.standardise(torch.tensor([0.0, 9.0]))
    assert torch.isnan(targets).tolist() == [True, False]


def test_a_state_of_three_classes_is_scored_by_window_not_by_person():
    """Somebody whose windows are of several classes has no class of his own."""
    table = windows({"hbn": [6.0, 9.0]})
    table["state"] = [0.0, 1.0, 2.0, 0.0, 1.0, np.nan]
    state = IntervalLabel(of="interval", column="state", classes=["a", "b", "c"])
    held_out = HeldOutLabels(table, {"state": state}, {"state": ("a", "b", "c")}, {}, {})
    batch = {"subject": torch.tensor([0, 0, 0, 1, 1, 1]), "row": torch.arange(6)}
    held_out.add(batch, {"state": 9.0 * torch.eye(3)[[0, 1, 2, 0, 2, 2]]})
    assert held_out.metrics() == {"state/hbn/balanced_accuracy": pytest.approx((1 + 0.5 + 1) / 3)}
