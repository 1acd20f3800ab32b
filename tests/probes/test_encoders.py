"""Encoders compared by the answers of their probes, small enough to calculate by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from cerebro.errors import UserError
from cerebro.probes.comparison import compare_encoders
from cerebro.statistics.comparison import holm

SUBJECTS = ["a", "a", "b", "b", "c", "c"]
AGES = np.array([6.0, 6.0, 9.0, 9.0, 15.0, 15.0])
EYES = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
LEADING = {"age": "nrmse", "eyes": "balanced_accuracy"}
DECIDED = {"good": [0, 1, 0, 1, 0, 1], "bad": [0, 0, 0, 1, 1, 1]}


def answers(age_error: float, eyes: str) -> pd.DataFrame:
    """Ages that are all off by the same, and decisions on eyes."""
    parts = {
        "age": {"truth": AGES, "prediction": AGES + age_error, "floor": np.full(6, 10.0)},
        "eyes": {"truth": EYES, "prediction": np.array(DECIDED[eyes], float), "floor": np.zeros(6)},
    }
    return pd.concat(
        [
            pd.DataFrame({"target": t, "metric": LEADING[t], "subject": SUBJECTS, **part})
            for t, part in parts.items()
        ]
    )


def table(resamples: int = 200) -> pd.DataFrame:
    found = compare_encoders(
        {"start": ["s-0", "s-1"], "end": ["e-0", "e-1"]},
        {"end": "start"},
        {
            "s-0": answers(2, "bad"),
            "s-1": answers(2, "bad"),
            "e-0": answers(1, "good"),
            "e-1": answers(2, "bad"),
        },
        resamples=resamples,
    )
    return found.set_index(["target", "row"])


def test_scores_are_means_over_seeds_of_the_leading_metric():
    found = table()
    assert found.at[("age", "start"), "value"] == pytest.approx(2 / AGES.std())
    assert found.at[("age", "end"), "value"] == pytest.approx(1.5 / AGES.std())
    bad = balanced_accuracy_score(EYES, DECIDED["bad"])
    assert found.at[("eyes", "start"), "value"] == pytest.approx(bad)
    assert found.at[("eyes", "end"), "value"] == pytest.approx((1 + bad) / 2)
    assert found.at[("eyes", "end"), "floor"] == 0.5
    assert found.at[("age", "end"), "floor"] == pytest.approx(np.sqrt(np.mean((AGES - 10) ** 2)) / AGES.std())
    assert found.at[("age", "end"), "sd_over_seeds"] == pytest.approx(1 / AGES.std() / np.sqrt(2))


def test_a_gain_is_positive_where_the_row_is_better_whatever_the_metric():
    found = table()
    assert found.at[("age", "end"), "gain_value"] == pytest.approx(0.25)  # 1.5 after 2
    bad = balanced_accuracy_score(EYES, DECIDED["bad"])
    assert found.at[("eyes", "end"), "gain_value"] == pytest.approx((1 + bad) / 2 / bad - 1)
    assert found.at[("age", "end"), "difference_value"] < 0 < found.at[("eyes", "end"), "difference_value"]
    for target in ("age", "eyes"):
        row = found.loc[(target, "end")]
        assert row["gain_low"] <= row["gain_value"] <= row["gain_high"]
        assert row["against"] == "start"
        assert pd.isna(found.at[(target, "start"), "against"])


def test_p_values_are_corrected_for_all_targets_and_rows_together():
    print("seed 12")
    random = np.random.default_rng(12)
    people = [f"s{number:02}" for number in range(12)]
    truth = {name: random.normal(size=12) for name in ("age", "p_factor", "attention")}

    def answered(spread: float) -> pd.DataFrame:
        parts = [
            {"target": name, "metric": "nrmse", "subject": people, "truth": values, "floor": 0.0}
            | {"prediction": values + spread * random.normal(size=12)}
            for name, values in truth.items()
        ]
        return pd.concat([pd.DataFrame(part) for part in parts])

    found = compare_encoders(
        {"start": ["start"], "one": ["one"], "two": ["two"]},
        {"one": "start", "two": "start"},
        {"start": answered(2.0), "one": answered(1.0), "two": answered(0.5)},
        resamples=300,
    )
    compared = found[found["against"].notna()].reset_index()
    assert len(compared) == 6
    expected = holm(dict(compared["p"]))
    assert compared["p_corrected"].tolist() == pytest.approx([expected[row] for row in range(6)])
    assert compared["p_corrected"].min() == pytest.approx(6 * compared["p"].min())
    assert (found["n_subjects"] == 12).all()


def test_the_gain_of_constant_errors_depends_on_the_drawn_seeds_alone():
    """Errors of 1 and 2 against 2: none, a quarter or a half is gained, whoever is drawn."""
    row = table().loc[("age", "end")]
    assert (row["gain_low"], row["gain_high"]) == pytest.approx((0.0, 0.5))


def test_encoders_probed_on_other_samples_are_refused():
    other = answers(1, "good")
    other.loc[other["target"] == "age", "truth"] += 1
    with pytest.raises(UserError, match="probe age: 'e' was probed on other samples"):
        compare_encoders(
            {"start": ["s"], "end": ["e"]},
            {"end": "start"},
            {"s": answers(1, "bad"), "e": other},
            resamples=100,
        )


def test_rows_with_other_numbers_of_seeds_are_refused():
    known = {name: answers(1, "good") for name in ("a", "b", "c")}
    with pytest.raises(ValueError, match="end has 1 seeds, start has 2"):
        compare_encoders({"start": ["a", "b"], "end": ["c"]}, {"end": "start"}, known, resamples=100)


def test_a_comparison_without_rows_is_an_empty_table():
    assert compare_encoders({}, {}, {}, resamples=100).empty
