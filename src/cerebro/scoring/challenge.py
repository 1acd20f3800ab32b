"""What answers to the challenges are scored by, shrunk and as the head gave them.

Shrinkage is fitted on few people (:mod:`cerebro.phases.shrinkage`), and may move a score by more than what is
being compared. So each score stands beside that of the ``unshrunk`` answers, which are the same with a factor
of 1: of an ensemble the mean of its members' unshrunk answers, of smoothed answers the smoothed unshrunk
ones. What has no shrinkage (baselines, the oracle) has both alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.statistics.metrics import ROUNDING, Metric, nrmse, pearson_r

SHARES = {1: 0.3, 2: 0.7}
"""Weights of the challenges in the overall score."""
ANSWERS = ("prediction", "unshrunk")
"""Columns of answers in a table of windows."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A metric of one column of answers: over windows, within subjects, or of subjects' means."""

    column: str
    metric: Metric
    over: Literal["windows", "within", "subjects"] = "windows"


SCORES: Mapping[str, Score] = {
    "unshrunk_nrmse": Score("unshrunk", nrmse),
    "unshrunk_r": Score("unshrunk", pearson_r),
    "unshrunk_r_within": Score("unshrunk", pearson_r, "within"),
    "nrmse": Score("prediction", nrmse),
    "r": Score("prediction", pearson_r),
    "subject_nrmse": Score("prediction", nrmse, "subjects"),
}
"""By their names as metrics: ``c1/nrmse`` and so on. Correlations within subjects are of deviations from each
subject's own mean, pooled; they are not defined where the truth is the person's, as in Challenge 2."""


def compared(answers: pd.DataFrame, column: str, over: str) -> tuple[Array, Array, NDArray[np.str_]]:
    """What a metric compares.

    Parameters
    ----------
    answers : DataFrame
        One row per window: ``subject``, ``truth`` and ``column``.
    column : str
    over : {'windows', 'within', 'subjects'}

    Returns
    -------
    truth, prediction, subjects : arrays
        One entry per window, or per subject. Answers that are one but for rounding are exactly one.
    """
    parts = answers[["truth", column]].astype(float)
    spread = float(parts["truth"].std(ddof=0))
    names = answers["subject"]
    if over == "subjects":
        parts = parts.groupby(names).mean()
        names = parts.index.to_series()
    elif over == "within":
        parts = parts - parts.groupby(names.to_numpy()).transform("mean")
    truth, prediction = (parts[name].to_numpy(float) for name in ("truth", column))
    return _settled(truth, spread), _settled(prediction, spread), names.to_numpy(dtype=str)


def constant_answers(answers: pd.DataFrame, column: str = "prediction") -> bool:
    """Whether all windows get one answer."""
    return bool(np.ptp(compared(answers, column, "windows")[1]) == 0)


def _settled(values: Array, spread: float) -> Array:
    """The values, or one of them for all where they differ by rounding only."""
    return np.full_like(values, values[0]) if np.ptp(values) <= ROUNDING * spread else values
