"""Training windows varied at random, within what the challenge's rules allow: no label is looked at."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cerebro.data.streams import numpy_stream
from cerebro.data.windows import Batch, WindowDataset
from cerebro.shards.store import read_table


class AugmentedDataset(WindowDataset):
    """Windows moved in time together with the moment that they are about, and with channels left out.

    A window that starts later sees the response earlier: the label, a time since the window's nominal start,
    becomes smaller by the lag. Lags and channels depend on the seed and on the rows of the batch alone.

    Parameters
    ----------
    table, shards, labels
        As in :class:`WindowDataset`.
    moment : str, optional
        The label that moves with the window, in seconds.
    lag_seconds : float
        The largest lag; without a moment it must be 0.
    channel_drop : float
        Probability with which each channel of a window is set to zero, which models take for absent.
    sfreq : float
        Sampling rate in Hz.
    seed : int
    """

    def __init__(
        self,
        table: pd.DataFrame,
        shards: Path,
        labels: Sequence[str],
        *,
        moment: str | None = None,
        lag_seconds: float = 0.0,
        channel_drop: float = 0.0,
        sfreq: float,
        seed: int,
    ) -> None:
        super().__init__(table, shards, labels)
        if lag_seconds and moment is None:
            raise ValueError("windows can only be moved together with the label of a moment")
        self.moment = moment
        self.lag = round(lag_seconds * sfreq)
        self.channel_drop = channel_drop
        self.sfreq = sfreq
        self.seed = seed
        first = pd.concat(
            [read_table(Path(shards) / f"{n}.parquet").recordings for n in table["shard"].unique()]
        )
        bounds = first.set_index("recording").loc[table["recording"], ["offset", "length"]]
        self._earliest = bounds["offset"].to_numpy(np.int64)
        self._latest = self._earliest + bounds["length"].to_numpy(np.int64) - self.n_times

    def __getitem__(self, rows: Sequence[int]) -> Batch:
        """Read the windows of the given rows, each moved by its lag but never out of its recording."""
        chosen = np.asarray(rows)
        random = numpy_stream(self.seed, "lags and channels", *chosen)
        lags = random.integers(-self.lag, self.lag + 1, len(chosen))
        start = np.clip(self._start[chosen] + lags, self._earliest[chosen], self._latest[chosen])
        batch = self._read(chosen, start)
        if self.moment is not None:
            moved = torch.from_numpy(start - self._start[chosen]).float() / self.sfreq
            batch[self.moment] = batch[self.moment] - moved
        if self.channel_drop:
            kept = random.random(batch["signal"].shape[:2]) >= self.channel_drop
            batch["signal"] *= torch.from_numpy(kept).unsqueeze(-1)
        return batch


class JitteredMoments(AugmentedDataset):
    """Windows of a stimulus, those of one moment moved by the same random lag, and the moment with them.

    A movie has more moments than the index has windows of it: subjects who are moved together still meet.
    Windows of other sources stay where they are. Lags depend on the seed and on the rows of the moment alone,
    so that devices that share a batch move it alike.

    Parameters
    ----------
    table, shards, labels, lag_seconds, sfreq, seed
        As in :class:`AugmentedDataset`; the table has the columns of
        :data:`cerebro.data.moments.MOMENT`.
    stimuli : collection of str
        Sources whose windows are moved.
    subjects : int
        Rows of a batch that follow each other and are of one moment.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        shards: Path,
        labels: Sequence[str],
        *,
        stimuli: Collection[str],
        subjects: int,
        lag_seconds: float,
        sfreq: float,
        seed: int,
    ) -> None:
        super().__init__(
            table, shards, labels, moment="moment", lag_seconds=lag_seconds, sfreq=sfreq, seed=seed
        )
        self.subjects = subjects
        self._moves = table["source"].isin(list(stimuli)).to_numpy()

    def __getitem__(self, rows: Sequence[int]) -> Batch:
        """Read the windows of the given rows, each moment moved, none of its windows out of its recording."""
        chosen = np.asarray(rows)
        lags = np.concatenate(
            [self._lag(chosen[i : i + self.subjects]) for i in range(0, len(chosen), self.subjects)]
        )
        batch = self._read(chosen, self._start[chosen] + lags)
        return batch | {"moment": batch["moment"] + torch.from_numpy(lags).float() / self.sfreq}

    def _lag(self, rows: np.ndarray) -> np.ndarray:
        if not self._moves[rows].all():
            return np.zeros(len(rows), np.int64)
        lag = numpy_stream(self.seed, "lag of a moment", *rows).integers(-self.lag, self.lag + 1)
        earliest = (self._earliest[rows] - self._start[rows]).max()
        latest = (self._latest[rows] - self._start[rows]).min()
        return np.full(len(rows), np.clip(lag, earliest, latest))
