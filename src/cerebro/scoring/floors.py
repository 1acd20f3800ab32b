"""What can be scored without looking at the EEG: a result is worth its distance from these.

On the real held-out release (R5) age and sex reach an NRMSE of .988 on reaction times and .972 to .985 on
externalizing, where the training mean scores 1.000 to 1.006; most published scores lie between the two.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.config import RIDGE_PENALTIES, AnyLabel, PersonLabel
from cerebro.statistics.linear import TooFewSubjects, fit_ridge

DEMOGRAPHICS = ("age", "sex")
"""Columns of the table of participants whose labels are known without any EEG."""


def demographic_labels(labels: Mapping[str, AnyLabel]) -> list[str]:
    """The labels of age and sex, by the column that they are declared by."""
    found = {label.column: name for name, label in labels.items() if isinstance(label, PersonLabel)}
    return [found[column] for column in DEMOGRAPHICS if column in found]


def training_mean(training: pd.DataFrame, test: pd.DataFrame, label: str) -> NDArray[np.float64]:
    """Predict the mean of the training windows for every test window, shape (len(test),)."""
    return np.full(len(test), training[label].mean())


def from_columns(
    training: pd.DataFrame,
    test: pd.DataFrame,
    label: str,
    *,
    columns: Sequence[str],
    penalties: Sequence[float] = RIDGE_PENALTIES,
) -> NDArray[np.float64]:
    """Predict from what the index says of a window's subject and run, by ridge regression over windows.

    Fitted on windows, not on subjects, because the challenge scores windows. A missing value counts as the
    training mean.

    Parameters
    ----------
    training, test : DataFrame
        Rows of the window index with ``subject``, ``columns`` and ``label``.
    label : str
        The column to predict.
    columns : sequence of str
        What is predicted from: numbers, codes of classes, or text of numbers as in ``run``.
    penalties : sequence of float
        Candidates, cross-validated over training subjects.

    Returns
    -------
    array, shape (len(test),)

    Raises
    ------
    TooFewSubjects
        When the training subjects do not allow the fit.
    """
    known, wanted = (
        part[list(columns)].apply(pd.to_numeric, errors="coerce").astype(float) for part in (training, test)
    )
    typical = known.mean()
    if typical.isna().any():
        raise TooFewSubjects(f"no training subject has a known {typical.index[typical.isna()][0]}")
    fit = fit_ridge(
        known.fillna(typical).to_numpy(), training[label], subjects=training["subject"], penalties=penalties
    )
    return fit.predict(wanted.fillna(typical).to_numpy())
