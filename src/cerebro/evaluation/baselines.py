"""Linear models without an encoder: what a phase has to beat, fitted on the windows that it trains on.

Every baseline learns from training windows alone; its ridge penalty is cross-validated over their subjects.
Signals are referenced, freed of bad channels and interpolated onto the 10-20 system by the front end and the
spherical splines that encoders use, so that montages and masked channels mean the same to all.

References
----------
Spectral: log band power with ridge regression, as in Engemann et al. (2018), Brain 141, 3179 and the
benchmarks of Engemann et al. (2022), NeuroImage 262, 119521. Covariance: the Riemannian tangent space of
Barachant et al. (2013), Neurocomputing 112, 172, with ridge regression as Sabbagh et al. (2020), NeuroImage
222, 116893, who found it the best linear model of age from M/EEG covariance; `pyriemann` computes it.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace

from cerebro.config import BaselinePhase
from cerebro.data.selection import evenly_per_subject
from cerebro.errors import UserError
from cerebro.evaluation.band_power import Windows, band_power, read_ten_twenty
from cerebro.evaluation.floors import AGE_SEX, AGE_SEX_RUN, from_columns, training_mean
from cerebro.evaluation.linear import TooFewSubjects, fit_ridge
from cerebro.recordings.montages import LAYOUTS

REFERENCE_WINDOWS = 20_000
"""Windows behind the Riemannian mean, evenly of all subjects: its iterations hold five copies of them."""
LEAST_VARIANCE = 1e-4
"""Added to the diagonal of covariances (µV²): far below any EEG, so that a window without a single good
channel has finite features."""

Features = NDArray[np.float64]


def fit_baseline(
    node: str, settings: BaselinePhase, training: pd.DataFrame, wanted: pd.DataFrame, *, shards: Path
) -> NDArray[np.float64]:
    """Fit a baseline and answer windows with it.

    Parameters
    ----------
    node : str
        Its name, for errors.
    settings : BaselinePhase
    training : DataFrame
        Rows of the window index to fit on, with the target's labels.
    wanted : DataFrame
        Rows to answer.
    shards : Path
        Folder of the shards.

    Returns
    -------
    array, shape (len(wanted),)

    Raises
    ------
    UserError
        When the training subjects do not allow the fit.
    """
    target, penalties = settings.target, settings.penalties
    try:
        if settings.features == "mean":
            return training_mean(training, wanted, target)
        if settings.features in ("age_sex", "age_sex_run"):
            columns = AGE_SEX if settings.features == "age_sex" else AGE_SEX_RUN
            return from_columns(training, wanted, target, columns=columns, penalties=penalties)
        if settings.features == "spectral":
            known, asked = (band_power(rows, shards) for rows in (training, wanted))
        else:
            known, asked = tangent_vectors(training, wanted, shards)
        fit = fit_ridge(known, training[target], subjects=training["subject"], penalties=penalties)
    except TooFewSubjects as error:
        raise UserError(f"baseline '{node}' cannot be fitted: {error}") from None
    print(f"{node}: {known.shape[1]} features, penalty {fit.penalty:g}", flush=True)
    return fit.predict(asked)


def covariances(signal: Windows) -> Features:
    """Covariance between the electrodes on the scalp, without the ears, shrunk (Chen et al. 2010, OAS).

    Parameters
    ----------
    signal : array, shape (n, 21, n_times)
        µV.

    Returns
    -------
    array, shape (n, 19, 19)
        µV². Shrinkage makes windows with few good channels positive definite as well.
    """
    scalp = [row for row, name in enumerate(LAYOUTS["ten_twenty"]) if name not in ("A1", "A2")]
    centred = signal[:, scalp] - signal[:, scalp].mean(axis=-1, keepdims=True)
    floor = LEAST_VARIANCE * np.eye(len(scalp))
    return Covariances("oas").transform(centred.astype(np.float64)) + floor


def tangent_vectors(training: pd.DataFrame, wanted: pd.DataFrame, shards: Path) -> tuple[Features, Features]:
    """Covariances of windows in the tangent space at the Riemannian mean of the training windows.

    Parameters
    ----------
    training, wanted : DataFrame, n rows each
        Rows of the window index, numbered from 0.
    shards : Path

    Returns
    -------
    two arrays, shape (n, 190)
        For 19 electrodes.
    """
    each = max(1, REFERENCE_WINDOWS // training["subject"].nunique())
    reference = read_ten_twenty(evenly_per_subject(training, each), shards)
    space = TangentSpace(metric="riemann")
    space.fit(np.concatenate([covariances(part) for part in reference]))
    known, asked = (
        np.concatenate([space.transform(covariances(part)) for part in read_ten_twenty(rows, shards)])
        for rows in (training, wanted)
    )
    return known, asked
