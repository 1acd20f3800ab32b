"""Samplers of whole batches that are functions of seed, epoch and step alone.

Resuming at an epoch's start therefore continues with exactly the batches an uninterrupted run would have
seen, whatever the number of worker processes. Under DDP every rank draws the same batch and keeps its share.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch.distributed as dist
from torch.utils.data import Sampler

from cerebro.data.moments import MOMENT
from cerebro.data.streams import numpy_stream
from cerebro.errors import UserError


class EpochSampler(Sampler[list[int]]):
    """Base of the samplers: ``steps`` batches an epoch, each drawn by :meth:`draw` and shared among ranks.

    Parameters
    ----------
    steps : int
        Batches in an epoch.
    seed : int
    granularity : int
        Rows that must stay together on one rank.
    """

    def __init__(self, steps: int, seed: int, granularity: int = 1) -> None:
        self.steps = steps
        self.seed = seed
        self.granularity = granularity
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        for step in range(self.steps):
            rows = self.draw(step)
            units = [rows[i : i + self.granularity] for i in range(0, len(rows), self.granularity)]
            if len(units) < world:
                raise UserError(f"a batch of {len(rows)} windows cannot be shared by {world} devices")
            yield [row for unit in units[rank::world] for row in unit]

    def draw(self, step: int) -> list[int]:
        """Rows of the batch of one step of the current epoch."""
        raise NotImplementedError


class ShuffledSampler(EpochSampler):
    """Every window once before any comes again, in an order that is new on each pass.

    Passes need not end with epochs: batch ``k`` of the whole training continues where ``k - 1`` ended.
    """

    def __init__(self, n_windows: int, *, batch_size: int, steps: int, seed: int) -> None:
        super().__init__(steps, seed)
        self.n_windows = n_windows
        self.batch_size = batch_size

    def draw(self, step: int) -> list[int]:
        """Rows of the batch of one step of the current epoch."""
        first = (self.epoch * self.steps + step) * self.batch_size
        places = np.arange(first, first + self.batch_size)
        passes = places // self.n_windows
        orders = {
            number: _permutation(self.n_windows, self.seed, "order of windows", int(number))
            for number in np.unique(passes)
        }
        return [
            int(orders[number][place % self.n_windows]) for number, place in zip(passes, places, strict=True)
        ]


class MixedSampler(EpochSampler):
    """Windows of several datasets in fixed shares, all datasets in every batch.

    A batch holds ``batch_size * share`` windows of a dataset, rounded at random to one of its neighbours so
    that the expectation is exact (systematic sampling). Within a dataset every window comes once before any
    comes again.

    Parameters
    ----------
    dataset : Series of str
        Dataset of every window.
    mix : mapping of str to float
        Share of each dataset; sums to 1.
    """

    def __init__(
        self, dataset: pd.Series, mix: Mapping[str, float], *, batch_size: int, steps: int, seed: int
    ) -> None:
        super().__init__(steps, seed)
        self.batch_size = batch_size
        used = {name: share for name, share in mix.items() if share > 0}
        self.bounds = batch_size * np.concatenate(([0], np.cumsum(list(used.values()))))
        self.bounds[-1] = batch_size
        self.rows = [np.flatnonzero(dataset == name) for name in used]
        if missing := [name for name, rows in zip(used, self.rows, strict=True) if not len(rows)]:
            raise UserError(f"mix asks for windows of {missing}, of which there are none")

    def draw(self, step: int) -> list[int]:
        """Rows of the batch of one step of the current epoch, in random order."""
        number = self.epoch * self.steps + step
        counts = self._counts(number + 1)
        rows = [
            self._windows(dataset, first, count)
            for dataset, (first, count) in enumerate(zip(counts[:-1].sum(axis=0), counts[-1], strict=True))
        ]
        order = numpy_stream(self.seed, "order within a batch", number).permutation(self.batch_size)
        return [int(row) for row in np.concatenate(rows)[order]]

    def _counts(self, n_batches: int) -> np.ndarray:
        """Windows of each dataset in each of the first batches, shape (n_batches, n_datasets)."""
        offsets = numpy_stream(self.seed, "rounding of shares").random((n_batches, 1))
        return np.diff(np.floor(self.bounds + offsets).astype(np.int64), axis=1)

    def _windows(self, dataset: int, first: int, count: int) -> np.ndarray:
        """Rows ``first`` to ``first + count`` of a dataset's endless stream of shuffled passes."""
        rows = self.rows[dataset]
        places = np.arange(first, first + count)
        passes = places // len(rows)
        drawn = [
            rows[
                _permutation(len(rows), self.seed, "order of a dataset", dataset, int(number))[
                    places[passes == number] % len(rows)
                ]
            ]
            for number in np.unique(passes)
        ]
        return np.concatenate([np.empty(0, np.int64), *drawn])


@lru_cache(maxsize=8)
def _permutation(length: int, seed: int, purpose: str, *place: int) -> np.ndarray:
    """The order of windows in one pass; kept, since thousands of batches share one."""
    return numpy_stream(seed, purpose, *place).permutation(length)


class MomentSampler(EpochSampler):
    """Batches of moments, each met by several subjects, of one or more sources of pairs.

    Moments of a source come once in a batch; only where the source has fewer of them than the batch needs
    (eyes open, eyes closed) do all come equally often, each time with subjects drawn anew. Subjects of a
    moment are all different and drawn with equal chances, however many windows each has.

    Parameters
    ----------
    table : DataFrame
        Windows with the columns of :data:`cerebro.data.moments.MOMENT` and ``subject``.
    weights : mapping of str to float
        Share of the batch's moments that each source gets, rounded; at least two.
    batch_size : int
        Windows of a batch; rounded down to whole moments.
    subjects : int
        Subjects per moment.
    held_out : Series of bool, optional
        When given, the first subject of each moment is drawn from these windows only, the others from all.

    Raises
    ------
    UserError
        When fewer than two moments of a source were met by enough subjects: InfoNCE would have no negatives.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        weights: Mapping[str, float],
        *,
        batch_size: int,
        subjects: int,
        steps: int,
        seed: int,
        held_out: pd.Series | None = None,
    ) -> None:
        super().__init__(steps, seed, granularity=subjects)
        self.subjects = subjects
        first = np.ones(len(table), bool) if held_out is None else held_out.to_numpy()
        person = pd.factorize(table["subject"], sort=True)[0]
        groups = table.groupby(list(MOMENT)).indices
        self.moments: dict[str, list[_Moment]] = {source: [] for source in weights}
        for (source, *_), rows in groups.items():
            moment = _Moment.of(rows, person[rows], first[rows])
            if len(moment.windows) >= subjects and len(moment.first):
                self.moments[source].append(moment)
        for source, moments in self.moments.items():
            if len(moments) < 2:
                raise UserError(
                    f"source {source}: {len(moments)} moments were met by {subjects} subjects, 2 are needed: "
                    f"add subjects or recordings, lower subjects_per_moment, or leave the source out"
                )
        total = sum(weights.values())
        self.counts = {
            source: max(2, round(batch_size // subjects * weight / total))
            for source, weight in weights.items()
        }

    def draw(self, step: int) -> list[int]:
        """Rows of the batch of one step of the current epoch, moment by moment, source by source."""
        random = numpy_stream(self.seed, "moments", self.epoch, step)
        rows: list[int] = []
        for source, count in self.counts.items():
            moments = self.moments[source]
            passes = [random.permutation(len(moments)) for _ in range(-(-count // len(moments)))]
            for number in np.concatenate(passes)[:count]:
                rows += moments[number].draw(self.subjects, random)
        return rows


@dataclass(frozen=True)
class _Moment:
    """The windows of one moment by subject, and which subjects may come first."""

    windows: list[np.ndarray]
    first: np.ndarray

    @staticmethod
    def of(rows: np.ndarray, person: np.ndarray, first: np.ndarray) -> "_Moment":
        order = np.argsort(person, kind="stable")
        borders = np.flatnonzero(np.diff(person[order])) + 1
        windows = np.split(rows[order], borders)
        may_lead = [bool(part[0]) for part in np.split(first[order], borders)]
        return _Moment(windows, np.flatnonzero(may_lead))

    def draw(self, subjects: int, random: np.random.Generator) -> list[int]:
        leader = int(random.choice(self.first))
        others = random.permutation(len(self.windows) - 1)[: subjects - 1]
        chosen = [leader, *(others + (others >= leader))]
        return [int(random.choice(self.windows[subject])) for subject in chosen]


class SequentialSampler(EpochSampler):
    """All of the given rows once, in order, in batches of nearly equal size, so that ranks can share each."""

    def __init__(self, rows: np.ndarray, *, batch_size: int) -> None:
        super().__init__(steps=-(-len(rows) // batch_size), seed=0)
        self.batches = np.array_split(rows, self.steps)

    def draw(self, step: int) -> list[int]:
        """Rows of one batch."""
        return [int(row) for row in self.batches[step]]
