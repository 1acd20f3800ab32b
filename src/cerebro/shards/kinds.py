"""Candidate windows of one recording, one function per kind; nothing here reads a file.

Each returns a table with ``kind``, ``start`` (sample within the recording), ``length`` (samples) and the
columns that the kind fills. Every window lies wholly inside the recording.
"""

import math
import random

import numpy as np
import pandas as pd

TRIAL_DELAY_SECONDS = 0.5
TRIAL_SECONDS = 2.0
"""Challenge 1 (start kit, `challenge_1.py`): windows start 0.5 s after the target and last 2 s."""

LONG_SECONDS = 4.0
LONG_STRIDE_SECONDS = 2.0
CROP_SECONDS = 2.0
CROP_SEED = 42
"""Challenge 2 (start kit, `challenge_2.py`): 4 s windows every 2 s, one 2 s crop each, drawn by
`random.Random(42)`, a new one for every recording."""

EYES_SETTLING_SECONDS = 1.0
"""Left out after an instruction: the eyes take about that long to follow it."""


def fixed_windows(n_times: int, *, length: int, stride: int) -> pd.DataFrame:
    """Windows on a regular grid over the whole recording; the last partial one is dropped."""
    return _table("fixed", np.arange(0, n_times - length + 1, stride), length)


def eyes_windows(intervals: pd.DataFrame, *, n_times: int, sfreq: float, length: int) -> pd.DataFrame:
    """Windows side by side inside intervals with eyes open or closed, their first second left out.

    ``intervals`` is what :func:`cerebro.recordings.resting_state.eyes_intervals` returns.
    """
    starts, eyes = [], []
    for interval in intervals.itertuples():
        first = max(0, _sample(interval.start + EYES_SETTLING_SECONDS, sfreq))
        stop = min(_sample(interval.stop, sfreq), n_times)
        inside = np.arange(first, stop - length + 1, length)
        starts.append(inside)
        eyes.extend([interval.eyes] * len(inside))
    return _table("eyes", _concatenate(starts), length).assign(eyes=eyes)


def movie_windows(
    intervals: pd.DataFrame, *, n_times: int, sfreq: float, length: int, stride_seconds: float
) -> pd.DataFrame:
    """Windows at multiples of the stride in movie time, so that subjects share their moments exactly.

    ``intervals`` is what :func:`cerebro.recordings.movies.movie_intervals` returns; windows of a movie whose
    time is unknown carry its reason.
    """
    starts, times, movies, reasons = [], [], [], []
    for interval in intervals.itertuples():
        stop = min(_sample(interval.stop, sfreq), n_times)
        first, last = interval.movie_time, interval.movie_time + interval.stop - interval.start
        grid = np.arange(math.ceil(first / stride_seconds), int(last / stride_seconds) + 1) * stride_seconds
        moments = interval.start + (grid - first)
        inside = np.array([_sample(moment, sfreq) for moment in moments], dtype=np.int64)
        whole = (inside >= 0) & (inside + length <= stop)
        starts.append(inside[whole])
        times.append(grid[whole])
        movies.extend([interval.movie] * int(whole.sum()))
        reasons.extend([interval.reason] * int(whole.sum()))
    return _table("movie", _concatenate(starts), length).assign(
        movie=movies, movie_time=_concatenate(times).astype(float), reason=reasons
    )


def trial_windows(trials: pd.DataFrame, *, n_times: int, sfreq: float) -> pd.DataFrame:
    """Windows of Challenge 1: one per trial with a target and a response, where the recording holds it whole.

    ``trials`` is what :func:`cerebro.recordings.contrast_change.contrast_change_trials` returns. The sample
    is that of MNE's annotations and braindecode's windowing: the target's time rounded, then the delay added.
    """
    usable = trials[trials["rt_from_stimulus"].notna()]
    target = np.array([_sample(onset, sfreq) for onset in usable["stimulus_onset"]], dtype=np.int64)
    starts = target + int(TRIAL_DELAY_SECONDS * sfreq)
    length = int(TRIAL_SECONDS * sfreq)
    whole = (starts >= 0) & (starts + length <= n_times)
    usable = usable[whole]
    return _table("trial", starts[whole], length).assign(
        reaction_time=usable["rt_from_stimulus"].to_numpy(float),
        trial_time=TRIAL_DELAY_SECONDS,
        side=usable["side"].to_numpy(object),
        correct=usable["correct"].astype(float).to_numpy(),
    )


def condition_windows(intervals: pd.DataFrame, *, n_times: int, sfreq: float, length: int) -> pd.DataFrame:
    """Windows side by side inside intervals of one condition, the first where the interval begins.

    ``intervals`` is what a function of :mod:`cerebro.recordings.task_conditions` returns.
    """
    starts, times, which = [], [], []
    for index, (start, stop) in enumerate(zip(intervals["start"], intervals["stop"], strict=True)):
        first, last = _sample(start, sfreq), min(_sample(stop, sfreq), n_times)
        inside = np.arange(first, last - length + 1, length)
        starts.append(inside)
        times.append((inside - first) / sfreq)
        which.extend([index] * len(inside))
    labels = intervals[["condition", "correct"]].iloc[which].reset_index(drop=True)
    table = _table("condition", _concatenate(starts), length)
    return pd.concat([table.assign(trial_time=_concatenate(times).astype(float)), labels], axis=1)


def crop_windows(n_times: int, *, sfreq: float) -> pd.DataFrame:
    """Windows of Challenge 2: the scorer's crops, none for a recording shorter than 4 s."""
    long, stride = int(LONG_SECONDS * sfreq), int(LONG_STRIDE_SECONDS * sfreq)
    length = int(CROP_SECONDS * sfreq)
    generator = random.Random(CROP_SEED)
    starts = [start + generator.randint(0, long - length) for start in range(0, n_times - long + 1, stride)]
    return _table("crop", np.array(starts, dtype=np.int64), length)


def _sample(seconds: float, sfreq: float) -> int:
    return int(np.round(seconds * sfreq))  # half to even, as MNE's time_as_index(use_rounding=True)


def _table(kind: str, starts: np.ndarray, length: int) -> pd.DataFrame:
    return pd.DataFrame({"kind": kind, "start": np.asarray(starts, dtype=np.int64), "length": length})


def _concatenate(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.array([], dtype=np.int64)
