import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cerebro.statistics.linear import TooFewSubjects, fit_logistic, fit_ridge

PENALTIES = (0.1, 10.0, 1000.0)


def _subjects(n_subjects: int, n_windows: int) -> np.ndarray:
    return np.repeat([f"s{i}" for i in range(n_subjects)], n_windows)


def test_ridge_is_scikit_learns_with_the_chosen_penalty():
    print("seed 11")
    random = np.random.default_rng(11)
    x = random.normal(3, 2, (60, 5))
    y = x @ random.normal(size=5) + random.normal(size=60)
    fit = fit_ridge(x, y, subjects=_subjects(12, 5), penalties=PENALTIES)
    expected = make_pipeline(StandardScaler(), Ridge(alpha=fit.penalty)).fit(x, y)
    assert fit.predict(x) == pytest.approx(expected.predict(x))


def test_the_penalty_does_not_profit_from_windows_of_the_same_subject():
    """Features that identify subjects predict a trait of known subjects and nothing of new ones."""
    print("seed 12")
    random = np.random.default_rng(12)
    identity = np.repeat(random.normal(size=(30, 40)), 10, axis=0)
    x = identity + 0.1 * random.normal(size=(300, 40))
    trait = np.repeat(random.normal(size=30), 10)
    penalties = (0.1, 1e2, 1e5)
    by_subject = fit_ridge(x, trait, subjects=_subjects(30, 10), penalties=penalties)
    by_window = fit_ridge(x, trait, subjects=_subjects(300, 1), penalties=penalties)
    assert by_subject.penalty == 1e5
    assert by_window.penalty < 1e5


def test_of_equally_good_penalties_the_largest_is_taken():
    x = np.zeros((8, 2))
    fit = fit_ridge(x, np.arange(8.0), subjects=_subjects(4, 2), penalties=PENALTIES)
    assert fit.penalty == 1000


def test_logistic_weighs_classes_equally_and_is_scikit_learns():
    print("seed 13")
    random = np.random.default_rng(13)
    y = np.repeat((np.arange(20) % 4 == 0).astype(int), 5)  # a quarter positive
    x = random.normal(size=(100, 3)) + y[:, None]
    fit = fit_logistic(x, y, subjects=_subjects(20, 5), penalties=PENALTIES, classes=2)
    model = LogisticRegression(C=1 / fit.penalty, class_weight="balanced", max_iter=5000)
    expected = make_pipeline(StandardScaler(), model).fit(x, y).predict_proba(x)
    assert fit.predict(x) == pytest.approx(expected)


def test_too_few_subjects_are_refused_with_their_number():
    x = np.ones((4, 2))
    with pytest.raises(TooFewSubjects, match="1 training subject"):
        fit_ridge(x, [1, 2, 3, 4], subjects=["a"] * 4, penalties=PENALTIES)
    with pytest.raises(TooFewSubjects, match="values are equal"):
        fit_ridge(x, [1] * 4, subjects=["a", "a", "b", "b"], penalties=PENALTIES)
    with pytest.raises(TooFewSubjects, match="3 and 1 training subjects"):
        fit_logistic(x, [0, 0, 0, 1], subjects=["a", "b", "c", "d"], penalties=PENALTIES, classes=2)
