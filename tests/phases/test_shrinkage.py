"""Shrinkage towards the mean: what it lets through, and that it protects from models that know nothing."""

import numpy as np
import pytest
from scipy import stats

from cerebro.phases.shrinkage import CONFIDENCE, shrinkage


def study(random, n_subjects, *, skill, windows=20, trait=False):
    """Predicted and true deviations, and subjects; the best factor on predictions is ``skill``."""
    subjects = np.repeat(np.arange(n_subjects), windows)
    draw = (
        (lambda: random.normal(size=n_subjects)[subjects])
        if trait
        else (lambda: random.normal(size=len(subjects)))
    )
    predicted = draw()
    return predicted, skill * predicted + draw(), subjects


def test_the_factor_equals_a_hand_calculation():
    predicted = np.array([1.0, -1.0, 2.0, 0.0, -1.0, 1.0])
    truth = np.array([1.2, -0.8, 1.8, 0.1, -0.9, 1.1])
    subjects = np.array(["a", "a", "b", "b", "c", "c"])
    slope = (1.2 + 0.8 + 3.6 + 0.9 + 1.1) / 8
    without = np.array([(3.6 + 0.9 + 1.1) / 6, (1.2 + 0.8 + 0.9 + 1.1) / 4, (1.2 + 0.8 + 3.6) / 6])
    error = np.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum())
    threshold = stats.t.ppf(CONFIDENCE, 2) * error
    expected = slope * (1 - (threshold / slope) ** 2)
    assert shrinkage(predicted, truth, subjects) == pytest.approx(expected)
    assert 0 < expected < 1


@pytest.mark.parametrize("n_subjects", [3, 4, 8])
@pytest.mark.parametrize("trait", [False, True])
def test_a_useless_model_is_mostly_replaced_by_the_constant_and_costs_little_otherwise(n_subjects, trait):
    print("seed 0")
    random = np.random.default_rng(0)
    drawn = [study(random, n_subjects, skill=0.0, trait=trait) for _ in range(400)]
    factors = np.array([shrinkage(*one) for one in drawn])
    assert (factors > 0).mean() < 0.13
    # Expected squared error on new windows, in units of the constant's.
    assert (1 + factors**2).mean() < 1.05


@pytest.mark.parametrize("trait", [False, True])
def test_the_best_of_many_useless_models_is_not_taken_for_a_good_one_by_those_who_chose_it(trait):
    print("seed 3")
    random = np.random.default_rng(3)
    passed = {1: 0, 20: 0}
    for _ in range(200):
        _, truth, subjects = study(random, 100, skill=0.0, windows=5, trait=trait)
        models = [study(random, 100, skill=0.0, windows=5, trait=trait)[0] for _ in range(20)]
        best = min(models, key=lambda predicted: np.square(truth - 0.3 * predicted).sum())
        for candidates in passed:
            passed[candidates] += shrinkage(best, truth, subjects, candidates=candidates) > 0
    assert passed[20] <= 0.1 * 200 < passed[1]


def test_a_harmful_model_is_never_used():
    print("seed 1")
    random = np.random.default_rng(1)
    assert max(shrinkage(*study(random, 6, skill=-0.5)) for _ in range(50)) == 0


def test_a_model_with_skill_keeps_most_of_it_even_with_four_subjects():
    print("seed 2")
    random = np.random.default_rng(2)
    factors = np.array([shrinkage(*study(random, 4, skill=0.8)) for _ in range(200)])
    explained = 1 - (1 - factors / 0.8) ** 2  # of what the best factor explains
    assert explained.mean() > 0.85
    assert factors.max() <= 1


def test_more_subjects_bring_the_factor_to_the_slope():
    print("seed 3")
    found = shrinkage(*study(np.random.default_rng(3), 400, skill=0.4))
    assert found == pytest.approx(0.4, abs=0.05)


def test_nothing_is_proven_by_one_subject_or_by_a_constant():
    random = np.random.default_rng(4)
    assert shrinkage(*study(random, 1, skill=1.0)) == 0
    predicted, truth, subjects = study(random, 5, skill=1.0)
    assert shrinkage(0 * predicted, truth, subjects) == 0
