"""Ridge and logistic regression whose penalty is chosen by cross-validation over subjects.

Standardisation is part of the model, fitted inside each fold. No subject is ever in both halves of a fold:
windows of one person resemble each other, and a penalty chosen across them would be far too small. Folds
depend on subjects and truth, not on the order of rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

FOLDS = 5
"""Folds of the cross-validation, or as many as there are subjects (of the rarer class)."""


class TooFewSubjects(ValueError):
    """The subjects do not allow a fit whose penalty is cross-validated; the message says why."""


@dataclass(frozen=True)
class LinearFit:
    """A fitted linear model, its penalty, and a function from features (n, dim) to predictions.

    Predictions have the shape of the truth for ridge, (n, n_classes) for logistic regression.
    """

    penalty: float
    predict: Callable[[NDArray[Any]], NDArray[np.float64]]


def fit_ridge(
    features: NDArray[Any], truth: ArrayLike, *, subjects: ArrayLike, penalties: Sequence[float]
) -> LinearFit:
    """Fit ridge regression; the penalty has the smallest squared error on left-out subjects.

    Parameters
    ----------
    features : array, shape (n, dim)
    truth : array, shape (n,) or (n, n_targets)
        Several targets share one penalty.
    subjects : array of str, shape (n,)
    penalties : sequence of float
        Candidates for scikit-learn's ``alpha``; of equals the largest wins.

    Raises
    ------
    TooFewSubjects
        When there are fewer than two subjects or a single value of the truth.
    """
    truth, subjects = np.asarray(truth, float), np.asarray(subjects, str)
    count = len(np.unique(subjects))
    if count < 2:
        raise TooFewSubjects(f"{count} training subject, cross-validation needs 2")
    if (np.ptp(truth, axis=0) == 0).all():
        raise TooFewSubjects("all training values are equal")
    folds = list(GroupKFold(min(FOLDS, count)).split(features, groups=subjects))
    errors = []
    for penalty in penalties:
        held_out = np.empty(truth.shape)
        for inside, outside in folds:
            held_out[outside] = (
                _ridge(penalty).fit(features[inside], truth[inside]).predict(features[outside])
            )
        errors.append(mean_squared_error(truth, held_out))
    penalty = _best(penalties, errors)
    return LinearFit(penalty, _ridge(penalty).fit(features, truth).predict)


def fit_logistic(
    features: NDArray[Any],
    truth: ArrayLike,
    *,
    subjects: ArrayLike,
    penalties: Sequence[float],
    classes: int,
) -> LinearFit:
    """Fit (multinomial) logistic regression with all classes weighing the same, as balanced accuracy does.

    The penalty (scikit-learn's 1 / C) has the smallest balanced log loss on left-out subjects. Parameters as
    for :func:`fit_ridge`, with ``truth`` of 0, 1, ... below ``classes``; predictions are probabilities of the
    classes.

    Raises
    ------
    TooFewSubjects
        When a class has fewer than two training subjects.
    """
    truth, subjects = np.asarray(truth, int), np.asarray(subjects, str)
    per_class = [len(np.unique(subjects[truth == label])) for label in range(classes)]
    if min(per_class) < 2:
        counts = " and ".join([", ".join(map(str, per_class[:-1])), str(per_class[-1])])
        raise TooFewSubjects(
            f"{counts} training subjects in the {len(per_class)} classes, cross-validation needs 2 of each"
        )
    splitter = StratifiedGroupKFold(min(FOLDS, *per_class))
    return fit_classes(
        features, truth, folds=list(splitter.split(features, truth, groups=subjects)), penalties=penalties
    )


def fit_classes(
    features: NDArray[Any],
    truth: NDArray[np.int64],
    *,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    penalties: Sequence[float],
) -> LinearFit:
    """Fit multinomial logistic regression; the penalty has the smallest balanced log loss outside the folds.

    Parameters
    ----------
    features : array, shape (n, dim)
    truth : array of int, shape (n,)
        Classes 0, 1, ..., each of which occurs.
    folds : sequence of pairs of arrays
        Rows to fit and rows to judge the penalty on. Folds in which a class is missing from the rows to fit
        do not count.
    penalties : sequence of float
        Candidates for scikit-learn's 1 / C; of equals the largest wins.

    Raises
    ------
    TooFewSubjects
        When every fold lacks a class.
    """
    classes = np.unique(truth)
    complete = [fold for fold in folds if len(np.unique(truth[fold[0]])) == len(classes)]
    if not complete:
        raise TooFewSubjects("every fold of the cross-validation leaves a class without training subjects")
    judged = np.concatenate([outside for _, outside in complete])
    weights = compute_sample_weight("balanced", truth)[judged]
    errors = []
    for penalty in penalties:
        held_out = [
            _logistic(penalty).fit(features[inside], truth[inside]).predict_proba(features[outside])
            for inside, outside in complete
        ]
        errors.append(
            log_loss(truth[judged], np.concatenate(held_out), sample_weight=weights, labels=classes)
        )
    penalty = _best(penalties, errors)
    return LinearFit(penalty, _logistic(penalty).fit(features, truth).predict_proba)


def _ridge(penalty: float) -> Any:
    return make_pipeline(StandardScaler(), Ridge(alpha=penalty))


def _logistic(penalty: float) -> Any:
    model = LogisticRegression(C=1 / penalty, class_weight="balanced", max_iter=5000)
    return make_pipeline(StandardScaler(), model)


def _best(penalties: Sequence[float], errors: Sequence[float]) -> float:
    """The penalty of the smallest error; of equals the largest."""
    return min(zip(errors, penalties, strict=True), key=lambda pair: (pair[0], -pair[1]))[1]
