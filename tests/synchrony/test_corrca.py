"""Correlated components find what subjects share, as the published definition has it."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import eigh

from cerebro.synchrony.corrca import correlated_components


def recordings(
    seed: int = 0, subjects: int = 4, moments: int = 6
) -> tuple[np.ndarray, pd.Series, np.ndarray]:
    """Windows (n, 5, 50) in which one source with a fixed topography is shared, beneath strong own noise."""
    print("seed", seed)
    random = np.random.default_rng(seed)
    topography, mixing = random.normal(size=5), random.normal(size=(5, 5))
    moment = np.repeat(np.arange(moments), subjects)
    course = random.normal(size=(moments, 50))[moment]
    noise = np.einsum("cd,ndt->nct", mixing, random.normal(size=(len(moment), 5, 50)))
    return topography[None, :, None] * course[:, None, :] + noise, pd.Series(moment), course


def test_the_first_component_recovers_the_shared_source_beneath_stronger_noise():
    signals, moment, course = recordings()
    filters = correlated_components(signals, moment, count=2)
    found = np.einsum("nct,ck->nkt", signals, filters)
    recovered = abs(np.corrcoef(found[:, 0].ravel(), course.ravel())[0, 1])
    single = max(abs(np.corrcoef(signals[:, c].ravel(), course.ravel())[0, 1]) for c in range(5))
    assert recovered > single + 0.1
    assert abs(np.corrcoef(found[:, 1].ravel(), course.ravel())[0, 1]) < 0.2


def test_filters_solve_the_eigenvalue_problem_of_pairwise_covariances():
    """R_b w = rho R_w w with sums over all pairs of subjects, equation 4 of Dmochowski et al. (2012)."""
    signals, moment, _ = recordings(seed=1)
    centred = signals - signals.mean(axis=-1, keepdims=True)
    cross, auto = np.zeros((5, 5)), np.zeros((5, 5))
    for i in range(len(moment)):
        for j in range(len(moment)):
            if i != j and moment[i] == moment[j]:
                cross += centred[i] @ centred[j].T
                auto += centred[i] @ centred[i].T
    _, expected = eigh(cross, auto)
    found = correlated_components(signals, moment, count=5, shrinkage=0.0)
    for k in range(5):
        cosine = found[:, k] @ expected[:, -1 - k]
        lengths = np.linalg.norm(found[:, k]) * np.linalg.norm(expected[:, -1 - k])
        assert abs(cosine / lengths) == pytest.approx(1, abs=1e-6)


def test_a_channel_that_is_zero_throughout_does_no_harm():
    signals, moment, course = recordings()
    signals[:, 4] = 0
    found = np.einsum("nct,c->nt", signals, correlated_components(signals, moment, count=1)[:, 0])
    assert np.isfinite(found).all()
    assert abs(np.corrcoef(found.ravel(), course.ravel())[0, 1]) > 0.3


def test_moments_that_nobody_shared_are_refused():
    with pytest.raises(ValueError, match="no moment was met by two subjects"):
        correlated_components(np.ones((3, 2, 10)), pd.Series([0, 1, 2]), count=1)
