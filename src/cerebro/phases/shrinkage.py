"""How far predictions may leave the training mean, judged by subjects that training never saw."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SLOPES = np.linspace(-1.0, 1.0, 401)
"""Slopes of the truth on the predictions that are thought possible, and summed over."""
BEST_FACTORS = SLOPES.clip(0.0, 1.0)
"""For each slope the factor in [0, 1] with the least squared error."""
NEGLIGIBLE = 1e-3
"""Factors below this are 0: three digits of a score show nothing of them, and float32 may lose them."""
Array = NDArray[np.float64]


def shrinkage(deviation: ArrayLike, truth: ArrayLike, subjects: ArrayLike, *, candidates: int = 1) -> float:
    """Factor in [0, 1] on predicted deviations from the training mean: what is expected of the best one.

    The best factor is the least-squares slope of the truth on the prediction through the training mean, or 0
    where this is negative. Few subjects tell it badly, so its posterior mean is taken, which has the least
    expected squared error. It moves smoothly with what the subjects say: there is no line at which a model is
    kept or dropped. The prior is :func:`prior`, the likelihood that of :func:`posterior`.

    Parameters
    ----------
    deviation : array, shape (n,)
        Predicted deviations from the training mean.
    truth : array, shape (n,)
        True deviations from the training mean.
    subjects : array, shape (n,)
        Whose window each row is; windows of one person are no independent evidence.
    candidates : int
        Models of which this one was chosen by the same subjects.

    Returns
    -------
    float
        0 when there are fewer than two subjects, or no prediction leaves the mean.
    """
    deviation, truth = np.asarray(deviation, np.float64), np.asarray(truth, np.float64)
    _, number = np.unique(np.asarray(subjects), return_inverse=True)
    count = int(number.max()) + 1
    if count < 2 or not deviation.any():
        return 0.0
    products, squares = (
        np.bincount(number, part).astype(float) for part in (deviation * truth, deviation**2)
    )
    slope, error = jackknife(products, squares)
    factor = float(posterior(slope, error, count, before=prior(candidates)) @ BEST_FACTORS)
    return factor if factor >= NEGLIGIBLE else 0.0


def jackknife(products: Array, squares: Array) -> tuple[Array, Array]:
    """Slope of the truth on the prediction, and its standard error over subjects.

    Parameters
    ----------
    products, squares : array, shape (..., n_subjects)
        Each subject's sums of prediction times truth, and of squared predictions.

    Returns
    -------
    slope, error : arrays, shape (...)

    References
    ----------
    Jackknife over clusters: Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 11.
    """
    count = products.shape[-1]
    product, square = products.sum(axis=-1), squares.sum(axis=-1)
    without = _ratio(product[..., None] - products, square[..., None] - squares)
    spread = np.square(without - without.mean(axis=-1, keepdims=True)).sum(axis=-1)
    return _ratio(product, square), np.sqrt((count - 1) / count * spread)


def prior(candidates: int = 1) -> Array:
    """How likely each of :data:`SLOPES` is before subjects speak, up to a factor.

    The prior gives a third each to a model that knows nothing (slope 0), to one that points the right way and
    to one that points the wrong way (slopes uniform up to 1 and down to -1): nobody is believed before
    subjects speak, and a trained model overstates rather than understates. This prior was chosen by
    the simulation in ``benchmarks/shrinkage.py``; docs/submission.md has its table.

    Parameters
    ----------
    candidates : int
        Models of which this one was chosen by the same subjects. The best of many that have learned nothing
        looks good to those who chose it, so the prior odds of the right way are divided by their number.

    References
    ----------
    Prior odds and the number of comparisons: Westfall, Johnson & Utts (1997), A Bayesian perspective on the
    Bonferroni adjustment, Biometrika 84(2).
    """
    right = SLOPES > 0
    believed = np.where(right, 1 / right.sum() / candidates, 1 / (SLOPES < 0).sum())
    believed[SLOPES == 0] = 1.0
    return believed


def posterior(slope: ArrayLike, error: ArrayLike, count: int, *, before: Array) -> Array:
    """How likely each of :data:`SLOPES` is.

    Parameters
    ----------
    slope, error : array, shape (...)
        The estimate and its standard error; their difference to the true slope, in standard errors, follows
        Student's t with one degree of freedom less than subjects.
    count : int
        Number of subjects.
    before : array, shape (n_slopes,)
        Such as :func:`prior`.

    Returns
    -------
    array, shape (..., n_slopes)
        Sums to 1.
    """
    slope, error = np.asarray(slope, np.float64), np.asarray(error, np.float64)
    nearest = slope.clip(SLOPES[0], SLOPES[-1])  # Student's tails would take one far beyond for no evidence
    distance = (nearest[..., None] - SLOPES) / np.maximum(error, np.finfo(np.float64).eps)[..., None]
    log = np.log(before) - count / 2 * np.log1p(distance**2 / (count - 1))
    weights = np.exp(log - log.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Divide; 0 where the denominator is 0."""
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1.0), 0.0)
