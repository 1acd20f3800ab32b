import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from cerebro.config import PersonLabel
from cerebro.scoring.floors import demographic_labels, from_columns, training_mean
from cerebro.statistics.linear import TooFewSubjects

AGE_SEX = ("age", "sex")


def _people(n: int, *, random: np.random.Generator, windows: int = 4) -> pd.DataFrame:
    """Reaction times that are 2 - 0.05 age + 0.2 sex, exactly."""
    people = pd.DataFrame(
        {
            "subject": [f"s{i}" for i in range(n)],
            "age": random.uniform(5, 20, n),
            "sex": np.arange(n) % 2.0,
        }
    )
    people["reaction_time"] = 2 - 0.05 * people["age"] + 0.2 * people["sex"]
    return people.loc[people.index.repeat(windows)].reset_index(drop=True)


def test_the_training_mean_is_over_windows():
    training = pd.DataFrame({"subject": ["a", "a", "b"], "reaction_time": [1.0, 1.0, 4.0]})
    assert training_mean(training, training.iloc[:2], "reaction_time").tolist() == [2, 2]


def test_age_and_sex_recover_a_rule_and_agree_with_least_squares():
    print("seed 7")
    random = np.random.default_rng(7)
    training, test = _people(40, random=random), _people(10, random=random)
    found = from_columns(training, test, "reaction_time", columns=AGE_SEX)
    columns = ["age", "sex"]
    expected = LinearRegression().fit(training[columns], training["reaction_time"]).predict(test[columns])
    assert found == pytest.approx(expected, abs=0.001)  # the smallest penalty, 0.1, is chosen
    assert found == pytest.approx(test["reaction_time"].to_numpy(), abs=0.001)


def test_without_a_relation_age_and_sex_shrink_towards_the_mean():
    print("seed 8")
    random = np.random.default_rng(8)
    training, test = _people(40, random=random), _people(10, random=random)
    training["reaction_time"] = np.repeat(random.normal(1.6, 0.2, 40), 4)
    found = from_columns(training, test, "reaction_time", columns=AGE_SEX)
    assert np.abs(found - training["reaction_time"].mean()).max() < 0.1


def test_an_unknown_age_counts_as_the_training_mean():
    print("seed 9")
    random = np.random.default_rng(9)
    training = _people(40, random=random)
    unknown = training.iloc[[0]].assign(age=np.nan)
    typical = training.iloc[[0]].assign(age=training["age"].mean())
    assert from_columns(training, unknown, "reaction_time", columns=AGE_SEX) == pytest.approx(
        from_columns(training, typical, "reaction_time", columns=AGE_SEX)
    )


def test_a_single_training_subject_allows_no_such_floor():
    print("seed 10")
    training = _people(1, random=np.random.default_rng(10))
    with pytest.raises(TooFewSubjects, match="1 training subject"):
        from_columns(training, training, "reaction_time", columns=AGE_SEX)


def test_the_run_counts_beside_age_and_sex_although_the_index_holds_it_as_text():
    print("seed 10")
    training = _people(40, random=np.random.default_rng(10), windows=3)
    training["run"] = ["1", "2", "3"] * 40
    training["reaction_time"] -= 0.03 * training["run"].astype(float)
    found = from_columns(training, training, "reaction_time", columns=("age", "sex", "run"))
    assert found == pytest.approx(training["reaction_time"].to_numpy(), abs=0.001)


def test_age_and_sex_are_found_by_their_column_whatever_the_labels_are_called():
    years = PersonLabel(of="person", column="age", range=(0, 120))
    gender = PersonLabel(of="person", column="sex", classes=["m", "f"])
    other = PersonLabel(of="person", column="handedness")
    assert demographic_labels({"hand": other, "gender": gender, "years": years}) == ["years", "gender"]
    assert demographic_labels({"hand": other}) == []
