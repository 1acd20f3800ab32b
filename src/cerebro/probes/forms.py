"""The linear forms of a probe, each scored on people or times that its fit has not seen.

Regression, classification and moments are cross-fitted over subjects: those who are scored (the test
subjects, or where there are none those of validation) are dealt into folds, and a fold is predicted by a
model fitted on all other held-out subjects, whose own penalty is chosen by cross-validation inside them.
Subjects that a phase trained on take no part: an encoder that trained on their labels describes them more
sharply than anyone else, and a fit or penalty that leans on this fails new people (docs/probes.md).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.files import digest_text
from cerebro.statistics.linear import FOLDS, LinearFit, TooFewSubjects, fit_logistic, fit_ridge
from cerebro.statistics.metrics import (
    Metric,
    auc,
    balanced_accuracy,
    mae,
    mean_recall,
    mean_value,
    nrmse,
    pearson_r,
    r2,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """A metric, and what it compares: truth, prediction, and the prediction without EEG, each (n,)."""

    metric: Metric
    truth: Array
    predicted: Array
    floor: Array


@dataclass(frozen=True)
class Answer:
    """What a form found: measures by name, whose each scored row is, and the penalties that were chosen.

    ``rows`` says which of the samples each scored row is; ``raw`` are predictions before any decision:
    numbers (n,) or probabilities (n, n_classes), of forms that have them.
    """

    measures: Mapping[str, Measure]
    subjects: NDArray[np.str_]
    penalties: tuple[float, ...]
    n_fitted: int
    rows: NDArray[np.int64]
    raw: Array | None = None


def leading_answers(answer: Answer, metric: str) -> pd.DataFrame:
    """One measure as ``subject``, ``truth``, ``prediction``, ``floor``; probabilities become classes."""
    measure = answer.measures[metric]
    columns = {"truth": measure.truth, "prediction": measure.predicted, "floor": measure.floor}
    if measure.metric is balanced_accuracy:
        columns |= {name: (columns[name] >= 0.5).astype(float) for name in ("prediction", "floor")}
    return pd.DataFrame({"subject": answer.subjects, **columns})


def subject_folds(subjects: NDArray[np.str_], scored: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Deal the scored subjects into folds by a digest of their names.

    Parameters
    ----------
    subjects : array of str, shape (n,)
    scored : array of bool, shape (n,)

    Returns
    -------
    list of bool arrays, each of shape (n,)
        Which rows are in each fold; fewer folds where there are fewer subjects. The same for all encoders and
        targets, and for any order of rows.
    """
    names = sorted(np.unique(subjects[scored]), key=digest_text)
    count = min(FOLDS, len(names))
    return [scored & np.isin(subjects, names[fold::count]) for fold in range(count)]


def regression(x: Array, samples: pd.DataFrame, penalties: Sequence[float]) -> Answer:
    """Ridge regression of ``samples.truth``; the floor is the mean of the subjects fitted on.

    Means of folds differ, the lower the more of the high values a fold has taken away, and a prediction that
    is nothing but this mean correlates with the truth at less than zero. So r is that of what a prediction
    adds to its fold's mean.
    """
    truth = samples["truth"].to_numpy(float)
    found = _cross_fitted(fit_ridge, x, truth, samples, penalties)
    kept = truth[found.scored]
    floor = found.means
    measures = {
        name: Measure(metric, kept, found.predicted, floor)
        for name, metric in {"nrmse": nrmse, "mae": mae, "r2": r2}.items()
    }
    measures["r"] = Measure(pearson_r, kept, found.predicted - floor, np.zeros_like(floor))
    return found.answer(measures, raw=found.predicted)


def classification(x: Array, samples: pd.DataFrame, penalties: Sequence[float]) -> Answer:
    """Logistic regression of ``samples.truth`` (0, 1, ...), multinomial for more than two classes.

    ``samples.classes`` is the number of classes; each of them needs people.
    """
    truth = samples["truth"].to_numpy(int)
    fit = partial(fit_logistic, classes=int(samples["classes"].iloc[0]) if len(samples) else 2)
    found = _cross_fitted(fit, x, truth, samples, penalties)
    measures = class_measures(truth[found.scored].astype(float), found.predicted)
    return found.answer(measures, raw=found.predicted)


def class_measures(truth: Array, probabilities: Array) -> dict[str, Measure]:
    """Balanced accuracy, of two classes also auc, of probabilities (n, n_classes) of ``truth`` (n,)."""
    constant = np.zeros(len(truth))
    if probabilities.shape[1] > 2:
        decided = probabilities.argmax(axis=1).astype(float)
        return {"balanced_accuracy": Measure(mean_recall, truth, decided, constant)}
    return {
        name: Measure(metric, truth, probabilities[:, 1], constant)
        for name, metric in {"balanced_accuracy": balanced_accuracy, "auc": auc}.items()
    }


def moment(x: Array, samples: pd.DataFrame, penalties: Sequence[float]) -> Answer:
    """Which moment of a stimulus a window is from: ridge regression of one indicator per moment.

    Linear regression of an indicator matrix (Hastie et al. 2009, The Elements of Statistical Learning, 4.2),
    which stays cheap where moments are many. Each feature is centred over a subject's windows of the stimulus
    first. Its moments are ranked by their predicted indicators: ``rank`` is the share of the
    other moments below the right one (0.5 by chance), ``top1`` how often it comes first.
    """
    movie = samples["stream"].to_numpy(dtype=str)
    key = pd.MultiIndex.from_frame(samples[["stream", "moment"]])
    code, moments = key.factorize(sort=True)
    movie_of = np.array([name for name, _ in moments])
    frame = pd.DataFrame(x)
    centred = frame - frame.groupby([samples["subject"].to_numpy(), movie]).transform("mean")
    indicators = np.eye(len(moments))[code]
    found = _cross_fitted(fit_ridge, centred.to_numpy(), indicators, samples, penalties)
    right, rivals = code[found.scored], movie_of[None] == movie[found.scored][:, None]
    own = found.predicted[np.arange(len(right)), right][:, None]
    below = ((found.predicted < own) & rivals).sum(axis=1)
    level = ((found.predicted == own) & rivals).sum(axis=1) - 1
    others = rivals.sum(axis=1) - 1
    if not (others > 0).all():
        raise TooFewSubjects("a stimulus has a single moment")
    rank = (below + level / 2) / others
    first = (below == others).astype(float)
    zeros = np.zeros(len(right))
    return found.answer(
        {
            "rank": Measure(mean_value, zeros, rank, np.full(len(right), 0.5)),
            "top1": Measure(mean_value, zeros, first, 1 / (others + 1)),
        }
    )


FORMS: Mapping[str, Callable[[Array, pd.DataFrame, Sequence[float]], Answer]] = {
    "regression": regression,
    "classification": classification,
    "moment": moment,
}
"""Forms that are cross-fitted over subjects. Each takes features (n, dim), a table of n rows with
``subject``, ``scored`` (bool) and ``truth`` (classes: also their number, ``classes``; moments: ``stream`` and
``moment``), and penalties; too few subjects raise :class:`~cerebro.statistics.linear.TooFewSubjects`."""


@dataclass(frozen=True)
class _CrossFitted:
    scored: NDArray[np.bool_]
    predicted: Array
    means: Array
    subjects: NDArray[np.str_]
    penalties: tuple[float, ...]
    n_fitted: int

    def answer(self, measures: Mapping[str, Measure], *, raw: Array | None = None) -> Answer:
        rows = np.flatnonzero(self.scored)
        return Answer(measures, self.subjects, self.penalties, self.n_fitted, rows, raw)


def _cross_fitted(
    fit: Callable[..., LinearFit],
    x: Array,
    truth: NDArray[Any],
    samples: pd.DataFrame,
    penalties: Sequence[float],
) -> _CrossFitted:
    """Predict every scored row by a model of all other held-out subjects."""
    subjects = samples["subject"].to_numpy(dtype=str)
    scored = samples["scored"].to_numpy(bool)
    if not scored.any():
        raise TooFewSubjects("nobody who is scored has a known value")
    if (truth[scored] == truth[scored][0]).all():
        found = len(np.unique(subjects[scored]))
        split = samples.loc[scored, "split"].iloc[0]
        raise TooFewSubjects(f"the {split} split holds a single value in {found} subjects")
    predicted: Array | None = None
    means = np.full(len(truth), np.nan)
    chosen, fitted = [], []
    for fold in subject_folds(subjects, scored):
        model = fit(x[~fold], truth[~fold], subjects=subjects[~fold], penalties=penalties)
        of_fold = model.predict(x[fold])
        if predicted is None:
            predicted = np.full((len(truth), *of_fold.shape[1:]), np.nan)
        predicted[fold], means[fold] = of_fold, truth[~fold].mean()
        chosen.append(model.penalty)
        fitted.append(len(np.unique(subjects[~fold])))
    assert predicted is not None
    return _CrossFitted(
        scored, predicted[scored], means[scored], subjects[scored], tuple(chosen), min(fitted)
    )
