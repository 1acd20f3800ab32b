"""How far predictions may leave the training mean, judged by subjects that training never saw."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
"""One-sided confidence that predictions help at all, below which they are not used."""


def shrinkage(deviation: ArrayLike, truth: ArrayLike, subjects: ArrayLike, *, candidates: int = 1) -> float:
    """Factor in [0, 1] on predicted deviations from the training mean; 0 where their use is not proven.

    With ``b`` the least-squares slope of the truth on the prediction through the training mean, ``s`` its
    standard error by the jackknife over subjects and ``t = b / s``, the factor is ``b (1 - (q / t)²)`` where
    ``t`` exceeds ``q``, the quantile of Student's t with one degree of freedom less than subjects, and 0
    elsewhere. A model that has learned nothing is thus replaced by the constant in about 19 of 20 cases,
    however few subjects there are to judge it, and one with ``t`` of twice ``q`` keeps three quarters of its
    slope; the price, a quarter squared of the explained variance, is small because the error is flat around
    the best factor.

    Parameters
    ----------
    deviation : array, shape (n,)
        Predicted deviations from the training mean.
    truth : array, shape (n,)
        True deviations from the training mean.
    subjects : array, shape (n,)
        Whose window each row is; windows of one person are no independent evidence.
    candidates : int
        Models of which this one was chosen by the same subjects. The best of many that have learned nothing
        looks good to those who chose it, so each is allowed its part of the doubt alone (Bonferroni).

    Returns
    -------
    float
        0 when there are fewer than two subjects.

    References
    ----------
    The positive-part form: James & Stein (1961), Berkeley Symposium 4(1); as a factor on least-squares
    slopes, Breiman (1995), Better subset regression using the nonnegative garrote, Technometrics 37.
    Jackknife over clusters: Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    deviation, truth = np.asarray(deviation, np.float64), np.asarray(truth, np.float64)
    _, number = np.unique(np.asarray(subjects), return_inverse=True)
    count = int(number.max()) + 1
    if count < 2:
        return 0.0
    product = np.bincount(number, deviation * truth)
    square = np.bincount(number, deviation**2)
    slope = _ratio(product.sum(), square.sum())
    without = _ratio(product.sum() - product, square.sum() - square)
    error = np.sqrt((count - 1) / count * np.square(without - without.mean()).sum())
    threshold = stats.t.ppf(1 - (1 - CONFIDENCE) / candidates, count - 1) * error
    if not slope > threshold:
        return 0.0
    return float(np.clip(slope * (1 - (threshold / slope) ** 2), 0.0, 1.0))


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    """Divide; 0 where the denominator is 0."""
    numerator, denominator = np.asarray(numerator), np.asarray(denominator)
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1.0), 0.0)
