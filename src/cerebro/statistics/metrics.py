"""Metrics of regressions and two-class decisions, weighted, so that a bootstrap is a matrix of weights.

Every metric takes ``truth`` and ``prediction`` of shape (n,) and ``weights`` of shape (..., n), how often
each window counts (all once by default), and returns one value per leading index: shape (...). A value that
is not defined (no spread in the truth, a single class) is NaN, never an error and never a number.
Definitions are scikit-learn's where it has them; the tests compare.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

NEGLIGIBLE = 1e-12
"""Share of a variable's second moment below which its variance is rounding error."""


ROUNDING = 1e-6
"""Differences of answers, in deviations of the truth, that are none: answers are of single precision."""


class Metric(Protocol):
    """A weighted metric: see the module's docstring."""

    def __call__(self, truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
        """Evaluate on ``truth`` and ``prediction`` (n,) with ``weights`` (..., n)."""
        ...


def nrmse(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Root mean squared error over the population standard deviation of the truth.

    The score of both parts of the EEG Foundation Challenge 2025 (arXiv:2506.19141): predicting the test
    mean scores 1, smaller is better.
    """
    truth, prediction, weights = _checked(truth, prediction, weights)
    squared_error = _mean((truth - prediction) ** 2, weights)
    return _ratio(np.sqrt(squared_error), np.sqrt(_variance(truth, weights)))


def mae(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Mean absolute error, in the unit of the truth."""
    truth, prediction, weights = _checked(truth, prediction, weights)
    return _mean(np.abs(truth - prediction), weights)


def r2(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Share of the truth's variance explained, against the mean of the same windows: 1 - NRMSE²."""
    return 1 - nrmse(truth, prediction, weights) ** 2


def pearson_r(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Pearson correlation; NaN for a constant prediction."""
    truth, prediction, weights = _checked(truth, prediction, weights)
    x, y = truth - truth[0], prediction - prediction[0]
    covariance = _mean(x * y, weights) - _mean(x, weights) * _mean(y, weights)
    return _ratio(covariance, np.sqrt(_variance(x, weights) * _variance(y, weights)))


def balanced_accuracy(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Mean of sensitivity and specificity; ``prediction`` is the probability of class 1, cut at 0.5."""
    truth, prediction, weights = _checked(truth, prediction, weights)
    decided = prediction >= 0.5
    positive, negative = truth == 1, truth == 0
    sensitivity = _ratio(weights @ (positive & decided), weights @ positive)
    specificity = _ratio(weights @ (negative & ~decided), weights @ negative)
    return (sensitivity + specificity) / 2


def mean_recall(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Balanced accuracy of several classes: the mean over the truth's classes of the share found.

    ``truth`` and ``prediction`` are class numbers; NaN where a class of the truth has no weight.
    """
    truth, prediction, weights = _checked(truth, prediction, weights)
    recalls = [
        _ratio(weights @ ((truth == label) & (prediction == label)), weights @ (truth == label))
        for label in np.unique(truth)
    ]
    return np.mean(recalls, axis=0)


def mean_value(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Mean of ``prediction``, for what is right or wrong window by window; the truth is not looked at."""
    truth, prediction, weights = _checked(truth, prediction, weights)
    return _mean(prediction, weights)


def auc(truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None = None) -> Values:
    """Area under the ROC curve: how often class 1 gets the larger value, ties counting half.

    The Mann-Whitney form (Hanley & McNeil 1982, Radiology 143), over groups of equal predictions.
    """
    truth, prediction, weights = _checked(truth, prediction, weights)
    order = np.argsort(prediction, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(prediction[order]) > 0])
    positive = np.add.reduceat((weights * (truth == 1))[..., order], starts, axis=-1)
    negative = np.add.reduceat((weights * (truth == 0))[..., order], starts, axis=-1)
    below = np.cumsum(negative, axis=-1) - negative
    wins = (positive * (below + negative / 2)).sum(axis=-1)
    return _ratio(wins, positive.sum(axis=-1) * negative.sum(axis=-1))


LEADING: Mapping[str, Metric] = {
    "nrmse": nrmse,
    "balanced_accuracy": mean_recall,
    "rank": mean_value,
    "accuracy": mean_value,
}
"""Leading metrics of probes, of answers as :func:`cerebro.probes.forms.leading_answers` has them."""


def _checked(
    truth: ArrayLike, prediction: ArrayLike, weights: ArrayLike | None
) -> tuple[Values, Values, Values]:
    truth = np.asarray(truth, dtype=np.float64)
    prediction = np.asarray(prediction, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != prediction.shape or not truth.size:
        raise ValueError(
            f"truth {truth.shape} and prediction {prediction.shape} must be equally long vectors"
        )
    if not (np.isfinite(truth).all() and np.isfinite(prediction).all()):
        raise ValueError("truth and prediction must be finite")
    weights = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    return truth, prediction, weights


def _mean(values: Values, weights: Values) -> Values:
    return _ratio(weights @ values, weights.sum(axis=-1))


def _variance(values: Values, weights: Values) -> Values:
    """Population variance; exactly 0 where only rounding is left of it."""
    offset = values - values[0]
    second_moment = _mean(offset**2, weights)
    variance = second_moment - _mean(offset, weights) ** 2
    return np.where(variance > NEGLIGIBLE * second_moment, variance, 0.0)


def _ratio(numerator: Values, denominator: Values) -> Values:
    """Divide; NaN where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    defined = denominator > 0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)
