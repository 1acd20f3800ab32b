"""Paired comparison of variants over seeds and subjects together, corrected for how many are compared.

Every variant answers the same windows. A resample draws subjects with replacement, all of a subject's windows
together, and seeds with replacement, the same draw for every variant; a variant's score in it is the mean
over the drawn seeds. Differences between variants are therefore paired in both. With few seeds, resampling
them understates their variance (by a third with three); intervals are percentiles, as everywhere here.

References
----------
Field & Welsh (2007), J. R. Stat. Soc. B 69(3) for clusters; Bouthillier et al. (2021), Accounting for
variance in machine learning benchmarks, MLSys, for seeds as a source of variance; Holm (1979), Scand. J.
Stat. 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cerebro.evaluation.bootstrap import Interval, SubjectBootstrap
from cerebro.evaluation.metrics import Metric, Values

SEED = 1
"""Seed of the draws of seeds."""


@dataclass(frozen=True)
class Resampled:
    """A variant's score and its value in every resample.

    Parameters
    ----------
    by_seed : array, shape (n_seeds,)
        The score with each seed, on all subjects.
    resamples : array, shape (n_resamples,)
    """

    by_seed: Values
    resamples: Values

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.by_seed.mean())

    def interval(self) -> Interval:
        """The score with its 95 % interval."""
        return Interval.of(self.value, self.resamples)

    def as_columns(self) -> dict[str, float | None]:
        """``value``, ``low``, ``high``, the number of ``seeds`` and the deviation between them."""
        spread = float(np.std(self.by_seed, ddof=1)) if len(self.by_seed) > 1 else None
        return {**self.interval().as_json(), "seeds": len(self.by_seed), "sd_over_seeds": spread}


def resample(
    metric: Metric,
    truth: NDArray[np.float64],
    predictions: Sequence[NDArray[np.float64]],
    *,
    subjects: NDArray[np.str_],
    bootstrap: SubjectBootstrap,
) -> Resampled:
    """Score one variant.

    Parameters
    ----------
    metric : Metric
    truth : array, shape (n,)
    predictions : sequence of arrays, each of shape (n,)
        One per seed, in the same order for all variants that are to be compared.
    subjects : array of str, shape (n,)
    bootstrap : SubjectBootstrap
        Shared by all variants.
    """
    matrix = np.stack([bootstrap.distribution(metric, truth, one, subjects=subjects) for one in predictions])
    draws = _seed_draws(len(predictions), matrix.shape[1])
    by_seed = np.array([float(metric(truth, one)) for one in predictions])
    return Resampled(by_seed, (draws * matrix).sum(axis=0))


@dataclass(frozen=True)
class Difference:
    """A variant minus its reference, and whether it may be chance.

    Parameters
    ----------
    interval : Interval
        The difference.
    of_reference, of_variant : Interval
        The same as a share of the reference's score and of the variant's: what takes 1.00 to .95 is 5 %
        better, the way back is 5.3 % worse.
    p, p_corrected : float
        Two-sided, and corrected by Holm.
    """

    interval: Interval
    of_reference: Interval
    of_variant: Interval
    p: float
    p_corrected: float


def compare(variants: Mapping[str, Resampled], references: Mapping[str, str]) -> dict[str, Difference]:
    """Differences of variants to others.

    Parameters
    ----------
    variants : mapping of str to Resampled
        All resampled with one bootstrap.
    references : mapping of str to str
        By variant, the one that is subtracted from it.

    Returns
    -------
    dict of str to Difference
        By variant, for those with a reference. The p-value is twice the smaller share of resamples on either
        side of zero, with one resample added to each side, so it is never 0; NaN where the difference has no
        interval. It is corrected for the number of differences.
    """
    found: dict[str, tuple[Interval, Interval, Interval]] = {}
    p_values = {}
    for name, reference in references.items():
        variant, base = variants[name], variants[reference]
        if len(variant.by_seed) != len(base.by_seed):
            raise ValueError(f"{name} has {len(variant.by_seed)} seeds, {reference} has {len(base.by_seed)}")
        value, resamples = variant.value - base.value, variant.resamples - base.resamples
        with np.errstate(divide="ignore", invalid="ignore"):
            found[name] = (
                Interval.of(value, resamples),
                Interval.of(np.divide(value, base.value), resamples / base.resamples),
                Interval.of(np.divide(value, variant.value), resamples / variant.resamples),
            )
        p_values[name] = _two_sided(resamples) if found[name][0].low is not None else float("nan")
    corrected = holm(p_values)
    return {name: Difference(*found[name], p_values[name], corrected[name]) for name in found}


def star_is_possible(count: int, resamples: int) -> bool:
    """Whether a corrected p-value below .05 can come of this many differences and resamples at all."""
    return 2 * count / (resamples + 1) < 0.05


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct p-values for their number (Holm 1979); NaN stays NaN and does not count."""
    defined = {name: p for name, p in p_values.items() if np.isfinite(p)}
    corrected = {name: float("nan") for name in p_values}
    largest = 0.0
    for rank, (name, p) in enumerate(sorted(defined.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(defined) - rank)))
        corrected[name] = largest
    return corrected


def _seed_draws(n_seeds: int, n_resamples: int) -> NDArray[np.float64]:
    """Weights of the seeds in each resample, shape (n_seeds, n_resamples), each column summing to 1."""
    generator = np.random.default_rng(SEED)
    counts = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_resamples)
    return counts.T / n_seeds


def _two_sided(resamples: Values) -> float:
    defined = resamples[np.isfinite(resamples)]
    below = (np.sum(defined <= 0) + 1) / (len(defined) + 1)
    above = (np.sum(defined >= 0) + 1) / (len(defined) + 1)
    return float(min(1.0, 2 * min(below, above)))
