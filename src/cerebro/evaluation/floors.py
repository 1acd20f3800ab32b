"""What can be scored without looking at the EEG: a result is worth its distance from these.

On the real held-out release (R5) age and sex reach an NRMSE of .988 on reaction times and .972 to .985 on
externalizing, where the training mean scores 1.000 to 1.006; most published scores lie between the two.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.evaluation.linear import TooFewSubjects, fit_ridge

DEMOGRAPHICS = ["age", "sex"]
PENALTIES = tuple(10.0**power for power in range(-1, 5))
"""Ridge penalties tried over training subjects; the largest is close to the training mean."""


def training_mean(training: pd.DataFrame, test: pd.DataFrame, label: str) -> NDArray[np.float64]:
    """Predict the mean of the training windows for every test window, shape (len(test),)."""
    return np.full(len(test), training[label].mean())


def age_and_sex(
    training: pd.DataFrame, test: pd.DataFrame, label: str, *, penalties: Sequence[float] = PENALTIES
) -> NDArray[np.float64]:
    """Predict from age and sex by ridge regression over training windows.

    Fitted on windows, not on subjects, because the challenge scores windows. A missing age or sex counts as
    the training mean.

    Parameters
    ----------
    training, test : DataFrame
        Rows of the window index with the columns ``subject``, ``age``, ``sex`` and ``label``.
    label : str
        The column to predict.
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
    typical = training[DEMOGRAPHICS].mean()
    if typical.isna().any():
        raise TooFewSubjects(f"no training subject has a known {typical.index[typical.isna()][0]}")
    fit = fit_ridge(
        training[DEMOGRAPHICS].fillna(typical).to_numpy(),
        training[label],
        subjects=training["subject"],
        penalties=penalties,
    )
    return fit.predict(test[DEMOGRAPHICS].fillna(typical).to_numpy())
