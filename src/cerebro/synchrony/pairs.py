"""How alike subjects respond to the same stimulus: correlation against shifted time, retrieval of the moment.

All measures come from one table: the similarity of every window of one subject to every window of another.
Each feature is first standardised over a subject's windows of a stimulus, as time courses are before they
are correlated between subjects: what tells people or recordings apart is gone, what changes with the stimulus
stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.data.moments import TIME_DECIMALS
from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.comparison import Gap

SEED = 0
"""Seed of the shifts: a repeated evaluation gives the same p-value."""
NEGLIGIBLE = 1e-5
"""Spread over windows, relative to the feature's size, that is rounding of a constant in single precision."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Viewings:
    """Embeddings of several subjects on one axis of moments, stimulus after stimulus.

    ``embeddings`` (n_subjects, n_moments, width) are standardised and zero where ``seen`` (n_subjects,
    n_moments) is False; ``movie`` and ``time`` (n_moments,) say which stimulus and when, in s.
    """

    subjects: NDArray[np.str_]
    movie: NDArray[np.int64]
    time: Array
    seen: NDArray[np.bool_]
    embeddings: NDArray[np.float32]


def viewings(windows: pd.DataFrame, embed: Callable[[pd.DataFrame], NDArray[np.floating]]) -> Viewings:
    """Embed windows of a stimulus, subject by subject, and arrange them by subject and moment.

    Parameters
    ----------
    windows : DataFrame, n rows
        Columns ``subject``, ``stream``, ``moment`` (s). Of several windows of one subject and moment the
        first counts.
    embed : callable
        Takes some of these rows, numbered from 0, and returns (n, width): all windows' tokens are gigabytes,
        which are not held twice.
    """
    subjects, person = np.unique(windows["subject"].to_numpy(dtype=str), return_inverse=True)
    code, _ = pd.factorize(windows["stream"], sort=True)
    key = np.stack([code.astype(float), windows["moment"].to_numpy(float).round(TIME_DECIMALS)], axis=1)
    moments, place = np.unique(key, axis=0, return_inverse=True)
    place = place.reshape(-1)
    movie = moments[:, 0].astype(np.int64)
    seen = np.zeros((len(subjects), len(moments)), bool)
    arranged = np.zeros((0, 0, 0), np.float32)
    for subject in range(len(subjects)):
        own = np.flatnonzero(person == subject)
        met, first = np.unique(place[own], return_index=True)
        embedded = embed(windows.iloc[own[first]].reset_index(drop=True))
        if subject == 0:
            arranged = np.zeros((*seen.shape, embedded.shape[1]), np.float32)
        seen[subject, met] = True
        arranged[subject, met] = embedded
        for stimulus in np.unique(movie[met]):
            inside = seen[subject] & (movie == stimulus)
            arranged[subject, inside] = _standardised(arranged[subject, inside])
    return Viewings(subjects, movie, moments[:, 1], seen, arranged)


def synchrony(
    found: Viewings, *, exclusion_seconds: float, temperature: float, resamples: int
) -> dict[str, Any]:
    """Measure how alike subjects respond.

    Parameters
    ----------
    found : Viewings
        Of at least two subjects.
    exclusion_seconds : float
        Moments of a stimulus nearer to the right one than this are no candidates of retrieval.
    temperature : float
        Of InfoNCE.
    resamples : int
        Bootstrap resamples of subjects, and circular shifts.

    Returns
    -------
    dict
        ``isc``: mean over features, stimuli and pairs of subjects of the correlation over time, with ``p``
        and ``null_high`` (97.5th percentile) under circular shifts of every subject's windows of every
        stimulus; ``retrieval_top1``: share of windows whose most similar window of another subject, among
        all moments that this one saw, is of the same moment; ``median_rank`` of that window; ``info_nce`` in
        nats; each with its ``chance``, the first and the last with ``p`` of the difference to it.
        ``alignment`` and ``uniformity`` of the unit vectors (Wang & Isola 2020). Equal
        similarities share their ranks.

    References
    ----------
    Hasson et al. (2004), Science 303 (inter-subject correlation); circular shifts as in Kauppi et al. (2010),
    Frontiers in Neuroinformatics 4; bootstrap over subjects, pairs of one person with himself left out, as in
    Chen et al. (2016), NeuroImage 142.
    """
    count = len(found.subjects)
    stimuli = [np.flatnonzero(found.movie == stimulus) for stimulus in np.unique(found.movie)]
    totals = {name: np.zeros((count, count)) for name in ("queries", "hits", "nats", "chance", "log", "cos")}
    lagged = [np.zeros((count, count, len(stimulus))) for stimulus in stimuli]
    overlap = [np.zeros((count, count, len(stimulus))) for stimulus in stimuli]
    ranks, middles = [], []
    potential, pairs = 0.0, 0.0
    same_stimulus = found.movie[:, None] == found.movie[None, :]
    near = same_stimulus & (np.abs(found.time[:, None] - found.time[None, :]) < exclusion_seconds)
    candidate = ~near | np.eye(len(near), dtype=bool)
    lengths = np.stack([np.sqrt(np.einsum("mw,mw->m", own, own)) for own in found.embeddings]).clip(1e-12)
    for a in range(count):
        for b in range(a, count):
            both = found.seen[a][:, None] & found.seen[b][None, :]
            product = (found.embeddings[a] @ found.embeddings[b].T).astype(np.float64)
            cosine = product / (lengths[a][:, None] * lengths[b][None, :])
            distinct = both if a != b else np.triu(both, 1)
            potential += float(np.exp(4 * cosine[distinct] - 4).sum())
            pairs += float(distinct.sum())
            if a == b:
                continue
            for stimulus, sums, counts in zip(stimuli, lagged, overlap, strict=True):
                block = np.ix_(stimulus, stimulus)
                sums[a, b] = _by_lag(np.where(both[block], product[block], 0.0)) / found.embeddings.shape[2]
                counts[a, b] = _by_lag(both[block].astype(float))
            for query, other, table in ((a, b, cosine), (b, a, cosine.T)):
                scored = _retrieve(table, candidate & found.seen[other], found.seen[query], temperature)
                for name, values in scored.items():
                    if name in totals:
                        totals[name][query, other] = values.sum()
                ranks.append(scored["rank"])
                middles.append((scored["candidates"] + 1) / 2)
    bootstrap = SubjectBootstrap(found.subjects, resamples=resamples).counts
    queries = totals["queries"].sum()
    shared = {
        name: _beside_chance(totals[total], totals["queries"], totals[chance].sum() / queries, bootstrap)
        for name, total, chance in (("retrieval_top1", "hits", "chance"), ("info_nce", "nats", "log"))
    }
    return {
        "n_subjects": count,
        "n_windows": int(found.seen.sum()),
        "isc": _correlation(lagged, overlap, bootstrap, resamples),
        "retrieval_top1": shared["retrieval_top1"],
        "median_rank": {
            "value": float(np.median(np.concatenate(ranks))),
            "chance": float(np.median(np.concatenate(middles))),
        },
        "info_nce": shared["info_nce"],
        "alignment": 2 - 2 * totals["cos"].sum() / queries,
        "uniformity": float(np.log(potential / pairs)),
    }


def _standardised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features (n, width) with mean 0 and deviation 1 over the n windows; constant ones become 0."""
    mean = values.mean(axis=0, dtype=np.float64)
    deviation = values.std(axis=0, dtype=np.float64)
    varies = deviation > NEGLIGIBLE * (np.abs(mean) + deviation)
    return np.where(varies, (values - mean) / np.where(varies, deviation, 1.0), 0.0).astype(np.float32)


def _by_lag(table: Array) -> Array:
    """Sums over the circular diagonals of a square table: entry ``k`` adds up ``table[t, t + k]``."""
    size = len(table)
    times = np.arange(size)
    return table[times[None, :], (times[None, :] + times[:, None]) % size].sum(axis=1)


def _retrieve(
    cosine: Array, candidate: NDArray[np.bool_], asked: NDArray[np.bool_], temperature: float
) -> dict[str, Array]:
    """Rank the right window of each asked row among its candidates; rows without it or with no other drop."""
    usable = asked & np.diag(candidate) & (candidate.sum(axis=1) > 1)
    table = np.where(candidate, cosine, -np.inf)[usable]
    right = np.diag(cosine)[usable][:, None]
    better, equal = (table > right).sum(axis=1), (table == right).sum(axis=1)
    logits = table / temperature
    top = logits.max(axis=1, keepdims=True)
    nats = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0] - right[:, 0] / temperature
    candidates = candidate[usable].sum(axis=1).astype(float)
    return {
        "queries": np.ones(len(table)),
        "hits": (better == 0) / equal,
        "rank": better + (equal + 1) / 2,
        "nats": nats,
        "chance": 1 / candidates,
        "log": np.log(candidates),
        "cos": right[:, 0],
        "candidates": candidates,
    }


def _mean_over_pairs(sums: Array, counts: Array, bootstrap: NDArray[np.int64]) -> tuple[float, Array]:
    """Mean over pairs of different subjects, and the same in every resample of subjects."""
    weights = bootstrap.astype(float)
    numerator = ((weights @ sums) * weights).sum(axis=1)
    denominator = ((weights @ counts) * weights).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return float(sums.sum() / counts.sum()), numerator / denominator


def _beside_chance(
    sums: Array, counts: Array, chance: float, bootstrap: NDArray[np.int64]
) -> dict[str, float | None]:
    value, distribution = _mean_over_pairs(sums, counts, bootstrap)
    n_subjects = len(sums)
    difference = Gap.of(value - chance, distribution - chance, n_subjects=n_subjects)
    interval = Interval.of(value, distribution, n_subjects=n_subjects)
    return {**interval.as_json(), "chance": chance, "p": difference.as_json()["p"]}


def _correlation(
    lagged: list[Array], overlap: list[Array], bootstrap: NDArray[np.int64], resamples: int
) -> dict[str, float | None]:
    """Inter-subject correlation at lag 0, its interval, and its place among circular shifts."""
    value = Interval.of(
        *_mean_over_pairs(
            np.sum([part[:, :, 0] for part in lagged], axis=0),
            np.sum([part[:, :, 0] for part in overlap], axis=0),
            bootstrap,
        ),
        n_subjects=len(lagged[0]),
    )
    random = np.random.default_rng(SEED)
    first, second = np.triu_indices(len(lagged[0]), 1)
    null = np.zeros(resamples)
    for number in range(resamples):
        total = weight = 0.0
        for sums, counts in zip(lagged, overlap, strict=True):
            shift = random.integers(0, sums.shape[2], len(sums))
            lag = (shift[second] - shift[first]) % sums.shape[2]
            total += sums[first, second, lag].sum()
            weight += counts[first, second, lag].sum()
        null[number] = total / weight if weight else 0.0
    reached = int((null >= value.value).sum()) if value.value is not None else resamples
    return {
        **value.as_json(),
        "null_mean": float(null.mean()),
        "null_high": float(np.percentile(null, 97.5)),
        "p": (1 + reached) / (1 + resamples),
    }
