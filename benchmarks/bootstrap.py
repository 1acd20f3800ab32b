"""Cost of a 95 % interval over subjects."""

from pathlib import Path

import numpy as np
from scipy.stats import bootstrap
from sklearn.metrics import root_mean_squared_error

from benchmarks.measure import Case, Tables
from cerebro.config import Statistics
from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.metrics import nrmse


def tables(folder: Path, *, small: bool) -> Tables:
    """One table: the challenge's score of about as many subjects as R5 has."""
    n_subjects, n_windows, n_resamples = (10, 3, 20) if small else (300, 20, Statistics().resamples)
    random = np.random.default_rng(0)
    subjects = np.repeat([f"sub-{number:03d}" for number in range(n_subjects)], n_windows)
    truth = random.normal(size=len(subjects))
    prediction = truth + random.normal(size=len(subjects))
    windows = [np.flatnonzero(subjects == subject) for subject in np.unique(subjects)]

    def ours() -> Interval:
        resamples = SubjectBootstrap(subjects, resamples=n_resamples)
        return resamples.interval(nrmse, truth, prediction, subjects=subjects)

    def score(drawn: np.ndarray) -> float:
        rows = np.concatenate([windows[subject] for subject in drawn])
        return root_mean_squared_error(truth[rows], prediction[rows]) / truth[rows].std()

    def loop() -> np.ndarray:
        drawn = np.random.default_rng(0).integers(n_subjects, size=(n_resamples, n_subjects))
        return np.percentile([score(people) for people in drawn], [2.5, 97.5])

    def by_scipy() -> object:
        everyone = (np.arange(n_subjects),)
        return bootstrap(everyone, score, n_resamples=n_resamples, vectorized=False, method="percentile")

    weights = random.poisson(1.0, size=(n_resamples, len(subjects))).astype(float)
    moments = np.stack(((truth - prediction) ** 2, truth, truth**2), axis=1)
    size = f"{n_subjects} subjects with {n_windows} windows each"
    return {
        f"Interval of an NRMSE: {size}, {n_resamples} resamples": [
            Case("ours", "`SubjectBootstrap`", ours),
            Case("rival", "a loop over resamples with scikit-learn's error", loop),
            Case("rival", "`scipy.stats.bootstrap` over subjects", by_scipy),
            Case("limit", "the product of weights and moments alone", lambda: weights @ moments),
        ]
    }
