"""Candidate windows of one recording, one function per way to cut them; nothing here reads a file.

Each returns a table with ``start`` (sample within the recording), ``length`` (samples) and what the way
fills: ``value`` (of the label), ``stream``, ``moment`` (s), ``reason``; between the samples ``first`` and
``last`` no mark of the recorder may lie. Every window lies wholly inside the recording.
"""

import math
import random
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cerebro.config import EventLabel, IntervalLabel, MomentLabel

LONG_SECONDS = 4.0
LONG_STRIDE_SECONDS = 2.0
CROP_SECONDS = 2.0
CROP_SEED = 42
"""Challenge 2 (start kit, `challenge_2.py`): 4 s windows every 2 s, one 2 s crop each, drawn by
`random.Random(42)`, a new one for every recording."""


def fixed_windows(n_times: int, *, length: int, stride: int) -> pd.DataFrame:
    """Windows on a regular grid over the whole recording; the last partial one is dropped."""
    return _table(np.arange(0, n_times - length + 1, stride), length)


def interval_windows(
    intervals: pd.DataFrame, label: IntervalLabel, *, n_times: int, sfreq: float, length: int
) -> pd.DataFrame:
    """Windows side by side inside intervals, the first where an interval begins or has settled.

    ``intervals`` has ``start`` and ``stop`` (s) and ``value``.
    """
    starts, times, which = [], [], []
    for index, (start, stop) in enumerate(zip(intervals["start"], intervals["stop"], strict=True)):
        begin, first = sample(start, sfreq), max(0, sample(start + label.settle_seconds, sfreq))
        inside = np.arange(first, min(sample(stop, sfreq), n_times) - length + 1, length)
        starts.append(inside)
        times.append((inside - begin) / sfreq if label.timed else np.zeros(len(inside)))
        which.extend([index] * len(inside))
    table = _table(_concatenate(starts), length, value=intervals["value"].to_numpy()[which])
    if not label.is_class:
        return table
    return table.assign(stream=table["value"], moment=_concatenate(times).astype(float))


def event_windows(events: pd.DataFrame, label: EventLabel, *, n_times: int, sfreq: float) -> pd.DataFrame:
    """One window at each event, where the recording holds it whole.

    ``events`` has ``onset`` (s), ``event`` (its name) and ``value``. The sample is that of MNE's annotations
    and braindecode's windowing: the event's time rounded, then the offset added.
    """
    at = samples(events["onset"], sfreq)
    offset, length = (
        round(seconds * sfreq) for seconds in (label.window[0], label.window[1] - label.window[0])
    )
    starts = at + offset
    whole = (starts >= 0) & (starts + length <= n_times)
    events, at, starts = events[whole], at[whole], starts[whole]
    table = _table(starts, length, value=events["value"].to_numpy())
    return table.assign(
        stream=events["value" if label.is_class else "event"].to_numpy(object),
        moment=label.window[0],
        first=np.minimum(starts, at),
        last=np.maximum(starts + length, at),
    )


def moment_windows(
    stretches: pd.DataFrame, label: MomentLabel, *, n_times: int, sfreq: float, length: int
) -> pd.DataFrame:
    """Windows at multiples of the grid in the stimulus' own time, so that people share their moments exactly.

    ``stretches`` has ``start`` and ``stop`` (s of the recording), ``begin`` (s of the stimulus at the start),
    ``value`` (the stimulus) and ``reason`` (why its windows are not kept, empty if they are).
    """
    starts, times, which = [], [], []
    grid_seconds = label.grid_seconds
    for index, stretch in enumerate(stretches.itertuples()):
        stop = min(sample(stretch.stop, sfreq), n_times)
        first, last = stretch.begin, stretch.begin + stretch.stop - stretch.start
        grid = np.arange(math.ceil(first / grid_seconds), int(last / grid_seconds) + 1) * grid_seconds
        inside = samples(stretch.start + (grid - first), sfreq)
        whole = (inside >= 0) & (inside + length <= stop)
        starts.append(inside[whole])
        times.append(grid[whole])
        which.extend([index] * int(whole.sum()))
    shown = stretches.iloc[which]
    table = _table(_concatenate(starts), length, value=shown["value"].to_numpy(object))
    return table.assign(
        stream=table["value"],
        moment=_concatenate(times).astype(float),
        reason=shown["reason"].to_numpy(object),
    )


def crop_windows(n_times: int, *, sfreq: float) -> pd.DataFrame:
    """Windows of Challenge 2: the scorer's crops, none for a recording shorter than 4 s."""
    long, stride = int(LONG_SECONDS * sfreq), int(LONG_STRIDE_SECONDS * sfreq)
    length = int(CROP_SECONDS * sfreq)
    generator = random.Random(CROP_SEED)
    starts = [start + generator.randint(0, long - length) for start in range(0, n_times - long + 1, stride)]
    return _table(np.array(starts, dtype=np.int64), length)


def sample(seconds: float, sfreq: float) -> int:
    """Return the sample of a time: half to even, as MNE's ``time_as_index(use_rounding=True)``."""
    return int(np.round(seconds * sfreq))


def samples(seconds: Sequence[float] | np.ndarray | pd.Series, sfreq: float) -> np.ndarray:
    """Return the samples of several times, see :func:`sample`."""
    return np.round(np.asarray(seconds, dtype=float) * sfreq).astype(np.int64)


def _table(starts: np.ndarray, length: int, value: np.ndarray | None = None) -> pd.DataFrame:
    starts = np.asarray(starts, dtype=np.int64)
    table = pd.DataFrame(
        {"start": starts, "length": length, "stream": "", "moment": np.nan, "reason": ""}
        | {"first": starts, "last": starts + length}
    )
    return table if value is None else table.assign(value=value)


def _concatenate(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.array([], dtype=np.int64)
