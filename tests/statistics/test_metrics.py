import numpy as np
import pytest
from sklearn import metrics as reference

from cerebro.statistics.metrics import auc, balanced_accuracy, mae, nrmse, pearson_r, r2


@pytest.fixture
def regression():
    print("seed 1")
    random = np.random.default_rng(1)
    truth = random.normal(1.6, 0.4, 200)
    return truth, truth + random.normal(0, 0.3, 200), random.integers(0, 4, (5, 200))


@pytest.fixture
def decision():
    print("seed 2")
    random = np.random.default_rng(2)
    truth = random.integers(0, 2, 200)
    # Rounded, so that many probabilities are tied across the classes.
    probability = np.clip(0.3 * truth + random.uniform(0, 0.7, 200), 0, 1).round(1)
    return truth, probability, random.integers(0, 4, (5, 200))


def test_nrmse_is_the_challenge_score_of_a_hand_made_example():
    # Errors 1, 1, 0, 0: RMSE sqrt(1/2); truth 0, 0, 2, 2: population sd 1.
    assert nrmse([0, 0, 2, 2], [1, -1, 2, 2]) == pytest.approx(np.sqrt(0.5))


def test_predicting_the_test_mean_scores_one(regression):
    truth, _, _ = regression
    assert nrmse(truth, np.full(200, truth.mean())) == pytest.approx(1)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (mae, reference.mean_absolute_error),
        (r2, reference.r2_score),
        (
            nrmse,
            lambda truth, prediction, sample_weight=None: np.sqrt(
                reference.mean_squared_error(truth, prediction, sample_weight=sample_weight)
                / np.cov(truth, aweights=sample_weight, ddof=0)
            ),
        ),
        (
            pearson_r,
            lambda truth, prediction, sample_weight=None: np.corrcoef(
                np.repeat(truth, 1 if sample_weight is None else sample_weight),
                np.repeat(prediction, 1 if sample_weight is None else sample_weight),
            )[0, 1],
        ),
    ],
)
def test_regression_metrics_equal_scikit_learn_and_numpy(metric, expected, regression):
    truth, prediction, weights = regression
    assert metric(truth, prediction) == pytest.approx(expected(truth, prediction))
    found = metric(truth, prediction, weights)
    assert found.shape == (5,)
    assert found == pytest.approx([expected(truth, prediction, sample_weight=row) for row in weights])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (auc, reference.roc_auc_score),
        (
            balanced_accuracy,
            lambda truth, probability, sample_weight=None: reference.balanced_accuracy_score(
                truth, probability >= 0.5, sample_weight=sample_weight
            ),
        ),
    ],
)
def test_decision_metrics_equal_scikit_learn(metric, expected, decision):
    truth, probability, weights = decision
    assert metric(truth, probability) == pytest.approx(expected(truth, probability))
    found = metric(truth, probability, weights)
    assert found == pytest.approx([expected(truth, probability, sample_weight=row) for row in weights])


def test_a_weight_of_two_counts_like_a_repeated_window(regression):
    truth, prediction, _ = regression
    weights = np.ones(200)
    weights[:50] = 2
    for metric in (nrmse, mae, r2, pearson_r):
        repeated = metric(np.r_[truth, truth[:50]], np.r_[prediction, prediction[:50]])
        assert metric(truth, prediction, weights) == pytest.approx(repeated)


def test_what_is_not_defined_is_nan():
    constant = np.full(4, 0.1 + 0.2)
    assert np.isnan(nrmse(constant, [1, 2, 3, 4]))
    assert np.isnan(pearson_r([1, 2, 3, 4], constant))
    assert np.isnan(auc([1, 1], [0.2, 0.7]))
    assert np.isnan(balanced_accuracy([0, 0], [0.2, 0.7]))


@pytest.mark.parametrize(
    ("truth", "prediction"), [([1, 2], [1]), ([1, np.nan], [1, 2]), ([1, 2], [1, np.inf]), ([], [])]
)
def test_vectors_that_cannot_be_compared_are_refused(truth, prediction):
    with pytest.raises(ValueError, match=r"equally long|finite"):
        nrmse(truth, prediction)
