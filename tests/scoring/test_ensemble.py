"""Weights of an ensemble against calculations by hand and an independent search."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from cerebro.errors import UserError
from cerebro.scoring.ensemble import averaged, fitted_weights, member_weights

TRUTH = np.array([1.0, 2.0, 4.0, 3.0])


def answers_of(*errors: list[float]) -> np.ndarray:
    """Answers with given errors, a column per member."""
    return TRUTH[:, None] + np.array(errors).T


def frame(prediction: np.ndarray, subjects: list[str] | None = None) -> pd.DataFrame:
    columns = {"window": range(4), "subject": subjects or list("abcd"), "truth": TRUTH}
    return pd.DataFrame({**columns, "prediction": prediction, "unshrunk": 2 * prediction})


def test_members_with_uncorrelated_errors_count_by_the_inverse_of_their_variance() -> None:
    """Variances 1 and 4: the least of w² + 4 (1 - w)² is at w = .8."""
    answers = answers_of([1, -1, 1, -1], [2, 2, -2, -2])
    assert fitted_weights(answers, TRUTH) == pytest.approx([0.8, 0.2])


def test_a_member_that_only_repeats_anothers_errors_larger_counts_nothing() -> None:
    """Without the bound, 2 and -1 would cancel the errors."""
    answers = answers_of([1, -1, 1, -1], [2, -2, 2, -2])
    assert fitted_weights(answers, TRUTH) == pytest.approx([1, 0])


def test_weights_do_not_depend_on_the_targets_unit() -> None:
    answers = answers_of([1, -1, 1, 0.5], [2, 2, -1, -2])
    found = fitted_weights(answers, TRUTH)
    assert fitted_weights(1000 * answers + 5, 1000 * TRUTH + 5) == pytest.approx(found)


def best_on_the_simplex(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Least squares with weights that sum to 1 for every set of members, the best without a negative one."""
    best, least = np.zeros(answers.shape[1]), np.inf
    for size in range(1, answers.shape[1] + 1):
        for chosen in map(list, combinations(range(answers.shape[1]), size)):
            last = answers[:, chosen[-1]]
            others = answers[:, chosen[:-1]] - last[:, None]
            free = np.linalg.lstsq(others, truth - last, rcond=None)[0] if size > 1 else np.zeros(0)
            weights = np.zeros(answers.shape[1])
            weights[chosen] = [*free, 1 - free.sum()]
            error = np.sum((answers @ weights - truth) ** 2)
            if weights.min() >= 0 and error < least:
                best, least = weights, error
    return best


def test_weights_are_those_of_an_exhaustive_search_over_the_members_that_count() -> None:
    print("seed 7")
    random = np.random.default_rng(7)
    zeros = 0
    for _ in range(50):
        truth = random.normal(size=60)
        common = random.normal(size=(60, 1))
        answers = truth[:, None] * random.uniform(0, 1, 4) + common + random.normal(size=(60, 4))
        expected = best_on_the_simplex(answers, truth)
        found = fitted_weights(answers, truth)
        assert found == pytest.approx(expected, abs=1e-8)
        assert found.sum() == pytest.approx(1)
        zeros += int((found == 0).sum())
    assert 0 < zeros < 200  # both kinds of solution were met


def test_without_a_fit_members_count_equally() -> None:
    assert member_weights(["a", "b"], "equal", {}, purpose="") == {"a": 0.5, "b": 0.5}
    assert member_weights(["a"], "validation", {}, purpose="") == {"a": 1.0}


def test_a_member_of_weight_0_is_said_and_takes_no_part_in_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = answers_of([2, -2, 2, -2], [1, -1, 1, -1])
    validation = {"worse": frame(answers[:, 0]), "better": frame(answers[:, 1])}
    found = member_weights(["worse", "better"], "validation", validation, purpose="challenge 1")
    assert found == {"better": 1.0}
    assert "worse 0.00, better 1.00" in capsys.readouterr().out
    scored = {"worse": frame(np.full(4, np.nan)), "better": frame(TRUTH)}
    assert averaged(scored, found).equals(scored["better"])


def test_fitted_weights_go_to_the_members_by_name_and_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    answers = answers_of([2, 2, -2, -2], [1, -1, 1, -1])
    validation = {"b": frame(answers[:, 1]), "other": frame(TRUTH), "a": frame(answers[:, 0])}
    found = member_weights(["a", "b"], "validation", validation, purpose="challenge 1")
    assert found == pytest.approx({"a": 0.2, "b": 0.8})
    assert capsys.readouterr().out == "challenge 1: as 4 validation subjects weigh them: a 0.20, b 0.80\n"


@pytest.mark.parametrize(
    ("validation", "reason"),
    [
        (
            {"a": frame(TRUTH, list("aabc")), "b": frame(TRUTH + 1, list("aabc"))},
            "3 validation subjects are too few to weigh 2 members by",
        ),
        (
            {"a": frame(TRUTH + 1), "b": frame(TRUTH + 1 + 1e-9)},
            "its members' answers to validation windows determine no weights",
        ),
        (
            {name: frame(TRUTH).assign(truth=0.3) for name in "ab"},
            "the truth of validation subjects has no spread",
        ),
    ],
    ids=["too few subjects", "equal members", "a constant truth"],
)
def test_where_weights_cannot_be_fitted_members_count_equally_and_that_is_said(
    validation: dict[str, pd.DataFrame], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = member_weights(["a", "b"], "validation", validation, purpose="challenge 2")
    assert found == {"a": 0.5, "b": 0.5}
    assert capsys.readouterr().out == f"challenge 2: {reason}, so its 2 members count equally\n"


def test_members_that_answered_different_windows_are_refused() -> None:
    validation = {"a": frame(TRUTH), "b": frame(TRUTH).assign(window=range(1, 5))}
    with pytest.raises(UserError, match="challenge 1: a and b answered different windows"):
        member_weights(["a", "b"], "validation", validation, purpose="challenge 1")


def test_an_ensembles_answer_is_the_weighted_mean_and_that_of_one_member_its_own_to_the_bit() -> None:
    answers = {"a": frame(TRUTH + 0.1), "b": frame(TRUTH - 0.4)}
    mean = averaged(answers, {"a": 0.75, "b": 0.25})
    assert mean["prediction"].to_numpy() == pytest.approx(TRUTH - 0.025)
    assert mean["unshrunk"].to_numpy() == pytest.approx(2 * (TRUTH - 0.025))
    assert mean["truth"].tolist() == TRUTH.tolist()
    assert averaged(answers, {"b": 1.0}).equals(answers["b"])
