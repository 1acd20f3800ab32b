"""Correlated component analysis: the spatial filters whose output agrees most between subjects.

The model-free control of everything that contrastive training finds: linear, fitted in closed form on the
signals of training subjects.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import eigh

SHRINKAGE = 0.01
"""Share of the mean eigenvalue in the regularised covariance: enough for channels that are zero throughout.
More of it only lowered what the components retrieve, on a simulated population of another seed."""


def correlated_components(
    signals: NDArray[np.floating], moments: pd.Series, *, count: int, shrinkage: float = SHRINKAGE
) -> NDArray[np.float64]:
    """Spatial filters that maximise the ratio of between-subject to within-subject covariance.

    Parameters
    ----------
    signals : array, shape (n, n_chans, n_times)
        Windows of several subjects.
    moments : Series, n values
        The moment of each window; windows of one moment are of different subjects.
    count : int
        Number of filters.
    shrinkage : float
        In [0, 1): share of the identity, scaled to the mean eigenvalue, in the within-subject covariance.

    Returns
    -------
    array, shape (n_chans, count)
        Columns by decreasing inter-subject correlation.

    Raises
    ------
    ValueError
        When no moment was met twice.

    References
    ----------
    Dmochowski et al. (2012), Correlated components of ongoing EEG point to emotionally laden attention,
    Frontiers in Human Neuroscience 6:112; sums over all pairs and shrinkage after Parra, Haufe & Dmochowski
    (2019), Correlated components analysis: extracting reliable dimensions in multivariate data, Neurons,
    Behavior, Data Analysis, and Theory 2(1).
    """
    n_chans = signals.shape[1]
    within, between = np.zeros((n_chans, n_chans)), np.zeros((n_chans, n_chans))
    for rows in moments.groupby(moments).indices.values():
        if len(rows) < 2:
            continue
        centred = signals[rows].astype(np.float64)
        centred -= centred.mean(axis=-1, keepdims=True)
        own = np.einsum("nct,ndt->cd", centred, centred)
        total = centred.sum(axis=0)
        within += (len(rows) - 1) * own
        between += total @ total.T - own
    if not within.any():
        raise ValueError("no moment was met by two subjects: nothing can be correlated between them")
    ridge = np.trace(within) / n_chans * np.eye(n_chans)
    _, filters = eigh(between, (1 - shrinkage) * within + shrinkage * ridge)
    return filters[:, ::-1][:, :count]
