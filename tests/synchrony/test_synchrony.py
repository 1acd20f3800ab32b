"""Inter-subject measures against loops over pairs written out, on planted and on absent synchrony."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import logsumexp

from cerebro.losses.alignment import alignment, uniformity
from cerebro.synchrony.pairs import synchrony, viewings

OPTIONS = {"exclusion_seconds": 3.0, "temperature": 0.1, "resamples": 200}


def population(
    shared: float, *, subjects: int = 6, moments: int = 20, width: int = 5, seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Two stimuli; embeddings are noise of each subject plus ``shared`` times a course of the stimulus."""
    print("seed", seed)
    random = np.random.default_rng(seed)
    grid = [(s, stimulus, float(t)) for s in range(subjects) for stimulus in "ab" for t in range(moments)]
    windows = pd.DataFrame(grid, columns=["subject", "stream", "moment"])
    windows["subject"] = "s" + windows["subject"].astype(str)
    course = {stimulus: random.normal(size=(moments, width)) for stimulus in "ab"}
    own = {f"s{s}": random.normal(3, 2, size=width) for s in range(subjects)}
    embeddings = np.stack(
        [
            own[row.subject] + shared * course[row.stream][int(row.moment)] + random.normal(size=width)
            for row in windows.itertuples()
        ]
    )
    return windows, embeddings


def measured(windows: pd.DataFrame, embeddings: np.ndarray, **options) -> dict:
    numbered = windows.assign(row=range(len(windows)))
    found = viewings(numbered, lambda rows: embeddings[rows["row"]])
    return synchrony(found, **{**OPTIONS, **options})


def standardised(windows: pd.DataFrame, embeddings: np.ndarray) -> np.ndarray:
    out = embeddings.astype(float).copy()
    for rows in windows.groupby(["subject", "stream"]).indices.values():
        out[rows] = (out[rows] - out[rows].mean(axis=0)) / out[rows].std(axis=0)
    return out


def test_isc_is_the_mean_correlation_of_all_features_films_and_pairs():
    windows, embeddings = population(0.7)
    correlations = []
    for stimulus in "ab":
        of = {
            s: embeddings[(windows["subject"] == s) & (windows["stream"] == stimulus)]
            for s in windows["subject"]
        }
        names = sorted(of)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                correlations += [np.corrcoef(of[first][:, k], of[second][:, k])[0, 1] for k in range(5)]
    assert measured(windows, embeddings)["isc"]["value"] == pytest.approx(np.mean(correlations), abs=1e-6)


def test_retrieval_rank_and_info_nce_equal_a_loop_over_queries():
    windows, embeddings = population(0.7)
    # One window is missing: nobody can look for its moment there, and nobody can confuse others with it.
    windows, embeddings = windows.drop(7).reset_index(drop=True), np.delete(embeddings, 7, axis=0)
    vectors = standardised(windows, embeddings)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ranks, nats, chance = [], [], []
    for row, query in windows.iterrows():
        for other in set(windows["subject"]) - {query["subject"]}:
            pool = windows[windows["subject"] == other]
            same = (pool["stream"] == query["stream"]) & (pool["moment"] == query["moment"])
            near = (pool["stream"] == query["stream"]) & ((pool["moment"] - query["moment"]).abs() < 3)
            if not same.any():
                continue
            pool = pool[~near | same]
            similarity = vectors[pool.index] @ vectors[row]
            right = similarity[pool.index.get_loc(same.index[same][0])]
            ranks.append(1 + (similarity > right).sum())
            nats.append(logsumexp(similarity / 0.1) - right / 0.1)
            chance.append(1 / len(pool))
    found = measured(windows, embeddings)
    assert found["retrieval_top1"]["value"] == pytest.approx(np.mean(np.array(ranks) == 1))
    assert found["retrieval_top1"]["chance"] == pytest.approx(np.mean(chance))
    assert found["median_rank"]["value"] == np.median(ranks)
    assert found["info_nce"]["value"] == pytest.approx(np.mean(nats), rel=1e-5)
    assert found["info_nce"]["chance"] == pytest.approx(np.mean(-np.log(chance)))


def test_alignment_and_uniformity_are_those_of_the_losses():
    windows, embeddings = population(0.7)
    vectors = torch.nn.functional.normalize(torch.from_numpy(standardised(windows, embeddings)), dim=-1)
    moment = pd.factorize(windows["stream"] + windows["moment"].astype(str))[0]
    positive = torch.from_numpy((moment[:, None] == moment[None, :]) & ~np.eye(len(moment), dtype=bool))
    found = measured(windows, embeddings)
    assert found["alignment"] == pytest.approx(alignment(vectors, positive).item(), rel=1e-4)
    assert found["uniformity"] == pytest.approx(uniformity(vectors).item(), rel=1e-4)


def test_what_a_film_drives_is_found_far_above_chance_and_above_shifted_time():
    found = measured(*population(2.0))
    assert found["retrieval_top1"]["low"] > 3 * found["retrieval_top1"]["chance"]
    assert found["isc"]["low"] > found["isc"]["null_high"] > 0
    assert found["isc"]["p"] == pytest.approx(1 / 201)
    assert found["median_rank"]["value"] < 3
    assert found["info_nce"]["high"] < found["info_nce"]["chance"]
    assert max(found[name]["p"] for name in ("retrieval_top1", "info_nce")) < 0.05


def test_without_anything_shared_p_values_are_spread_evenly():
    values = [
        measured(*population(0.0, subjects=4, moments=15, width=3, seed=seed), resamples=100)["isc"]["p"]
        for seed in range(40)
    ]
    # Of 40 uniform values, 2 are expected below .05; more than 7 have a chance below .001.
    assert sum(value < 0.05 for value in values) <= 7
    assert 0.3 < np.mean(values) < 0.7


def test_what_tells_people_apart_does_not_count():
    """Each subject's own offset and scale leave all measures as they are."""
    windows, embeddings = population(0.7)
    person = pd.factorize(windows["subject"])[0]
    moved = embeddings * (1 + person[:, None]) + 100 * person[:, None]
    first, second = measured(windows, embeddings), measured(windows, moved)
    assert second["isc"]["value"] == pytest.approx(first["isc"]["value"], abs=1e-4)
    assert second["median_rank"] == first["median_rank"]


def test_a_constant_embedding_is_at_chance_and_not_above_it():
    windows, embeddings = population(0.0)
    found = measured(windows, np.full_like(embeddings, 0.3, dtype=np.float32))
    assert found["retrieval_top1"]["value"] == pytest.approx(found["retrieval_top1"]["chance"])
    assert found["median_rank"]["value"] == pytest.approx(found["median_rank"]["chance"])
    assert found["info_nce"]["value"] == pytest.approx(found["info_nce"]["chance"])
    assert found["isc"]["value"] == 0
    assert found["isc"]["p"] == found["retrieval_top1"]["p"] == found["info_nce"]["p"] == 1
    assert found["uniformity"] == pytest.approx(-4)
