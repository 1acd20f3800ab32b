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

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.config import AnyLabel, BaselinePhase
from cerebro.errors import UserError
from cerebro.probes.band_power import band_power
from cerebro.probes.covariance import tangent_vectors
from cerebro.scoring.floors import demographic_labels, from_columns, training_mean
from cerebro.statistics.linear import TooFewSubjects, fit_ridge


def fit_baseline(
    node: str,
    settings: BaselinePhase,
    training: pd.DataFrame,
    wanted: pd.DataFrame,
    *,
    labels: Mapping[str, AnyLabel],
    shards: Path,
) -> NDArray[np.float64]:
    """Fit a baseline and answer windows with it.

    Parameters
    ----------
    node : str
        Its name, for errors.
    settings : BaselinePhase
    training : DataFrame
        Rows of the window index to fit on, with the target's labels; classes of age and sex as codes.
    wanted : DataFrame
        Rows to answer.
    labels : mapping of str to label
        Declarations, those of age and sex among them.
    shards : Path
        Folder of the shards.

    Returns
    -------
    array, shape (len(wanted),)

    Raises
    ------
    UserError
        When age and sex are asked for and not declared, or the training subjects do not allow the fit.
    """
    target, penalties = settings.target, settings.penalties
    try:
        if settings.features == "mean":
            return training_mean(training, wanted, target)
        if settings.features in ("age_sex", "age_sex_run"):
            columns = [name for name in demographic_labels(labels) if name != target]
            if not columns:
                raise UserError(f"baseline '{node}' needs labels of column age or sex; none is declared")
            columns += ["run"] if settings.features == "age_sex_run" else []
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
