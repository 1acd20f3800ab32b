"""95 % intervals by resampling subjects: windows of one person are no independent evidence.

Subjects are drawn with replacement and bring all their windows along (the cluster bootstrap of Field & Welsh
2007, J. R. Stat. Soc. B 69(3), "randomized cluster bootstrap"); the interval spans percentiles of the metric
over resamples (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13). The 2.5th and the
97.5th would be too narrow for few subjects, so wider ones are taken, as far out as Student's t asks for: the
expanded percentiles of Hesterberg (2015), The American Statistician 69(4). With 12 subjects these are the
1.1st and the 98.9th; with 300 nothing changes.

One :class:`SubjectBootstrap` draws its resamples once. Whatever it evaluates, models, floors, both
challenges, meets the same resampled people, so differences between its distributions are paired.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from cerebro.statistics.metrics import Metric, Values

SEED = 0
"""Seed of the resamples: a repeated evaluation gives the same interval."""
MAX_UNDEFINED = 0.5
"""Share of resamples in which a metric may be undefined before its interval is."""
CHUNK_ELEMENTS = 4_000_000
"""Weights (windows times resamples) held at once: 32 MB."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, float | None]:
        """Plain values for a JSON file."""
        return {"value": self.value, "low": self.low, "high": self.high}

    def as_columns(self, prefix: str) -> dict[str, float | None]:
        """The same as columns of a table: ``<prefix>_value``, ``<prefix>_low``, ``<prefix>_high``."""
        return {f"{prefix}_{key}": value for key, value in self.as_json().items()}

    def times(self, sign: int) -> "Interval":
        """The interval itself (1), or of the opposite value (-1)."""
        if sign > 0:
            return self
        value, high, low = (None if end is None else -end for end in (self.value, self.low, self.high))
        return Interval(value, low, high)

    @staticmethod
    def of(value: ArrayLike, distribution: Values, *, n_subjects: int) -> "Interval":
        """Build from a point estimate and its values over resamples of some number of subjects.

        Resamples in which the metric is undefined (all of one class, say) are left out; where they are more
        than half, or the value itself is undefined, there is no interval.
        """
        value = float(np.asarray(value))
        if not np.isfinite(value):
            return Interval(None)
        defined = distribution[np.isfinite(distribution)]
        if len(defined) < (1 - MAX_UNDEFINED) * len(distribution) or not len(defined):
            return Interval(value)
        beyond = 100 * _expanded(n_subjects)
        low, high = np.percentile(defined, [beyond, 100 - beyond])
        return Interval(value, float(low), float(high))


class SubjectBootstrap:
    """Resamples of a set of subjects.

    Parameters
    ----------
    subjects : iterable of str
        Everyone who may be drawn; repeats are ignored. Fewer than two subjects have no interval.
    resamples : int
        Number of resamples.
    """

    def __init__(self, subjects: Iterable[str], *, resamples: int) -> None:
        self.subjects = np.unique(np.asarray(list(subjects), dtype=str))
        count = len(self.subjects)
        if not count:
            raise ValueError("there are no subjects to resample")
        generator = np.random.default_rng(SEED)
        self.counts = generator.multinomial(count, np.full(count, 1 / count), size=resamples)

    def distribution(
        self, metric: Metric, truth: ArrayLike, prediction: ArrayLike, *, subjects: ArrayLike
    ) -> Values:
        """Evaluate ``metric`` in every resample.

        Parameters
        ----------
        metric : Metric
        truth, prediction : array, shape (n,)
        subjects : array of str, shape (n,)
            Whose window each row is; a subset of the subjects being resampled.

        Returns
        -------
        array, shape (resamples,)
            NaN where undefined, and everywhere when the rows are of fewer than two subjects.
        """
        resamples = len(self.counts)
        names = np.asarray(subjects, dtype=str)
        position = np.searchsorted(self.subjects, names)
        known = self.subjects[np.minimum(position, len(self.subjects) - 1)] == names
        if not known.all():
            raise ValueError(f"subject {names[~known][0]} is not among those being resampled")
        if len(np.unique(position)) < 2:
            return np.full(resamples, np.nan)
        step = max(1, CHUNK_ELEMENTS // len(names))
        chunks = (self.counts[first : first + step, position] for first in range(0, resamples, step))
        return np.concatenate([metric(truth, prediction, weights) for weights in chunks])

    def interval(
        self, metric: Metric, truth: ArrayLike, prediction: ArrayLike, *, subjects: ArrayLike
    ) -> Interval:
        """Value of ``metric`` on all windows with its interval; arguments as for :meth:`distribution`."""
        distribution = self.distribution(metric, truth, prediction, subjects=subjects)
        return Interval.of(metric(truth, prediction), distribution, n_subjects=len(np.unique(subjects)))


def _expanded(n_subjects: int) -> float:
    """Share of resamples beyond each end of a 95 % interval: .025 for many subjects, less for few."""
    quantile = stats.t.ppf(0.025, n_subjects - 1)
    return float(stats.norm.cdf(np.sqrt(n_subjects / (n_subjects - 1)) * quantile))
