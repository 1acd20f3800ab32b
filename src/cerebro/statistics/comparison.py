"""Paired comparison of variants over seeds and subjects together, corrected for how many are compared.

Every variant answers the same windows. A resample draws subjects with replacement, all of a subject's windows
together, and seeds with replacement, the same draw for every variant; a variant's score in it is the mean
over the drawn seeds. Differences between variants are therefore paired in both. With few seeds, resampling
them understates their variance (by a third with three), which p-values correct and intervals, those of
:mod:`cerebro.statistics.bootstrap`, do not.

Whatever carries a star in a table is a :class:`Gap`, corrected together with all cells beside it.

References
----------
Field & Welsh (2007), J. R. Stat. Soc. B 69(3) for clusters; Bouthillier et al. (2021), Accounting for
variance in machine learning benchmarks, MLSys, for seeds as a source of variance; Holm (1979), Scand. J.
Stat. 6.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.metrics import Metric, Values

SEED = 1
"""Seed of the draws of seeds."""
RESOLUTION = 5e-4
"""Differences of scores, and shares of a score, below this are 0: tables show three digits, or tenths of a
percent, and answers are of single precision."""
SIGNIFICANT = 0.05
"""Corrected p below which a difference carries a star."""
Cell = TypeVar("Cell", bound=Hashable)


@dataclass(frozen=True)
class Gap:
    """A difference of two scores, and how likely one as large is by chance; NaN where that is not known."""

    interval: Interval
    p: float

    def as_json(self) -> dict[str, float | None]:
        """Plain values for a JSON file."""
        return {**self.interval.as_json(), "p": self.p if np.isfinite(self.p) else None}

    @staticmethod
    def of(value: ArrayLike, resamples: Values, *, n_subjects: int, by_seed: Values | None = None) -> "Gap":
        """Test a difference against 0.

        What is smaller than :data:`RESOLUTION` is 0. The two-sided p-value is that of Student's t, never less
        than what a sign test gives where all subjects agree, and NaN where there is no interval. The standard
        error is the deviation over resamples, corrected for what resampling few subjects and few seeds
        misses; degrees of freedom are one less than subjects, or fewer by as much of the variance as comes
        from seeds (Satterthwaite 1946, Biometrics Bulletin 2).

        Parameters
        ----------
        value : float
        resamples : array, shape (n_resamples,)
            The difference in each resample, paired.
        n_subjects : int
        by_seed : array, shape (n_seeds,), optional
            The difference with each seed, where seeds were resampled as well.
        """
        value, resamples = _resolved(np.asarray(value, np.float64)), _resolved(resamples)
        interval = Interval.of(value, resamples, n_subjects=n_subjects)
        if interval.low is None:
            return Gap(interval, float("nan"))
        seeds = np.zeros(1) if by_seed is None else by_seed
        return Gap(interval, _two_sided(float(value), resamples, n_subjects, seeds))


@dataclass(frozen=True)
class Resampled:
    """A variant's score and its value in every resample.

    Parameters
    ----------
    by_seed : array, shape (n_seeds,)
        The score with each seed, on all subjects.
    resamples : array, shape (n_resamples,)
    n_subjects : int
    """

    by_seed: Values
    resamples: Values
    n_subjects: int

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return float(self.by_seed.mean())

    def interval(self) -> Interval:
        """The score with its 95 % interval."""
        return Interval.of(self.value, self.resamples, n_subjects=self.n_subjects)

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
    return Resampled(by_seed, (draws * matrix).sum(axis=0), len(np.unique(subjects)))


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
        By variant, for those with a reference; p-values are those of :class:`Gap`, corrected for the
        number of differences.
    """
    found: dict[str, tuple[Gap, Interval, Interval]] = {}
    for name, reference in references.items():
        variant, base = variants[name], variants[reference]
        if len(variant.by_seed) != len(base.by_seed):
            raise ValueError(f"{name} has {len(variant.by_seed)} seeds, {reference} has {len(base.by_seed)}")
        value, resamples = variant.value - base.value, variant.resamples - base.resamples
        n_subjects = min(variant.n_subjects, base.n_subjects)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = [
                Interval.of(
                    _resolved(np.divide(value, whole.value)),
                    _resolved(resamples / whole.resamples),
                    n_subjects=n_subjects,
                )
                for whole in (base, variant)
            ]
        by_seed = variant.by_seed - base.by_seed
        difference = Gap.of(value, resamples, n_subjects=n_subjects, by_seed=by_seed)
        found[name] = (difference, shares[0], shares[1])
    corrected = holm({name: difference.p for name, (difference, *_) in found.items()})
    return {
        name: Difference(difference.interval, of_reference, of_variant, difference.p, corrected[name])
        for name, (difference, of_reference, of_variant) in found.items()
    }


def star_is_possible(count: int, n_subjects: int) -> bool:
    """Whether a corrected p-value below .05 can come of this many differences and subjects at all."""
    return n_subjects > 1 and count * _least(n_subjects) < SIGNIFICANT


def holm(p_values: Mapping[Cell, float]) -> dict[Cell, float]:
    """Correct p-values for their number (Holm 1979); NaN stays NaN and does not count."""
    defined = {name: p for name, p in p_values.items() if np.isfinite(p)}
    corrected = {name: float("nan") for name in p_values}
    largest = 0.0
    for rank, (name, p) in enumerate(sorted(defined.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(defined) - rank)))
        corrected[name] = largest
    return corrected


def significant(p_values: Mapping[Cell, float | None]) -> set[Cell]:
    """The cells of a table that carry a star: p below .05, corrected for all that have one."""
    known = {cell: p for cell, p in p_values.items() if p is not None}
    return {cell for cell, p in holm(known).items() if p < SIGNIFICANT}


def _seed_draws(n_seeds: int, n_resamples: int) -> NDArray[np.float64]:
    """Weights of the seeds in each resample, shape (n_seeds, n_resamples), each column summing to 1."""
    generator = np.random.default_rng(SEED)
    counts = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=n_resamples)
    return counts.T / n_seeds


def _resolved(values: Values) -> Values:
    """What is below the resolution is no difference."""
    return np.where(np.abs(values) < RESOLUTION, 0.0, values)


def _two_sided(value: float, resamples: Values, n_subjects: int, by_seed: Values) -> float:
    if value == 0:
        return 1.0
    # Resampling n finds (n - 1) / n of the variance, of subjects and of seeds alike.
    n_seeds = len(by_seed)
    of_seeds = float(np.var(by_seed, ddof=1)) / n_seeds if n_seeds > 1 else 0.0
    of_subjects = max(0.0, float(np.nanvar(resamples)) - of_seeds * (n_seeds - 1) / n_seeds)
    of_subjects *= n_subjects / (n_subjects - 1)
    variance = of_subjects + of_seeds
    if not variance > 0:
        return _least(n_subjects)
    freedom = variance**2 / (of_subjects**2 / (n_subjects - 1) + of_seeds**2 / max(1, n_seeds - 1))
    return float(max(2 * stats.t.sf(abs(value) / np.sqrt(variance), freedom), _least(n_subjects)))


def _least(n_subjects: int) -> float:
    """The two-sided p-value of a sign test in which all subjects agree."""
    return 2.0 ** (1 - n_subjects)
