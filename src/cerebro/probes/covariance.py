"""Covariance of windows in tangent space: the strongest classical description of ongoing EEG.

Signals are referenced, freed of bad channels and interpolated onto the 10-20 system by the front end and the
spherical splines that encoders use, so that a covariance means the same on all montages. The tangent space of
probes is at the Riemannian mean of each dataset's own training people, who are never scored: what caps and
amplifiers of a dataset make of all its covariances goes with it (re-centring, Zanini et al. 2018, IEEE TBME
65).

References
----------
Barachant et al. (2013), Neurocomputing 112, 172; `pyriemann` computes it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace

from cerebro.config import FIXED
from cerebro.data.selection import evenly_per_subject
from cerebro.errors import UserError
from cerebro.probes.band_power import Windows, read_ten_twenty
from cerebro.recordings.montages import LAYOUTS

REFERENCE_WINDOWS = 20_000
"""Windows behind the Riemannian mean, evenly of all subjects: its iterations hold five copies of them."""
PROBE_REFERENCE_WINDOWS = 2_000
"""The same for each dataset of a probe: a mean of 19 channels needs no more."""
LEAST_VARIANCE = 1e-4
"""Added to the diagonal of covariances (µV²): far below any EEG, so that a window without a single good
channel has finite features."""

Features = NDArray[np.float64]


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
    space = _space(training, shards, at_most=REFERENCE_WINDOWS)
    return _vectors(space, training, shards), _vectors(space, wanted, shards)


def tangent_features(index: pd.DataFrame, shards: Path) -> Callable[[pd.DataFrame], Features]:
    """Give what describes rows of an index by :func:`covariances`, in the tangent space of their dataset.

    Raises
    ------
    UserError
        Where a dataset has no training windows, when its rows are described.
    """
    training = index[(index["kind"] == FIXED) & index["keep"] & (index["split"] == "train")]
    spaces: dict[str, TangentSpace] = {}

    def describe(rows: pd.DataFrame) -> Features:
        found: Features | None = None
        for dataset, numbers in rows.groupby("dataset").indices.items():
            name = str(dataset)
            if name not in spaces:
                own = training[training["dataset"] == name].reset_index(drop=True)
                if own.empty:
                    raise UserError(
                        f"covariance: dataset '{name}' has no training people, whose mean its tangent space "
                        "needs; let splits leave it some"
                    )
                spaces[name] = _space(own, shards, at_most=PROBE_REFERENCE_WINDOWS)
            vectors = _vectors(spaces[name], rows.iloc[numbers].reset_index(drop=True), shards)
            if found is None:
                found = np.empty((len(rows), vectors.shape[1]))
            found[numbers] = vectors
        assert found is not None
        return found

    return describe


def _space(training: pd.DataFrame, shards: Path, *, at_most: int) -> TangentSpace:
    """The tangent space at the Riemannian mean of at most so many windows, evenly of all subjects."""
    each = max(1, at_most // training["subject"].nunique())
    reference = read_ten_twenty(evenly_per_subject(training, each), shards)
    return TangentSpace(metric="riemann").fit(np.concatenate([covariances(part) for part in reference]))


def _vectors(space: TangentSpace, rows: pd.DataFrame, shards: Path) -> Features:
    return np.concatenate([space.transform(covariances(part)) for part in read_ten_twenty(rows, shards)])
