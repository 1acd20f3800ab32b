"""All candidate windows of one recording: its events read, the kinds of window that its task allows cut."""

import math
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.config import Windows
from cerebro.recordings.events import (
    MOVIES,
    contrast_change_trials,
    eyes_intervals,
    movie_intervals,
    read_events,
)
from cerebro.recordings.hbn import events_path
from cerebro.shards import kinds

_MOVIE_TASKS = {name for name, _ in MOVIES.values()}


def candidates(
    row: Mapping[str, Any],
    *,
    n_times: int,
    sfreq: float,
    windows: Windows,
    notes: Counter[str],
) -> pd.DataFrame:
    """Return all candidate windows of one recording.

    Parameters
    ----------
    row
        Its row of the inventory.
    n_times, sfreq
        Its length in the shard in samples, the shard's sampling rate in Hz.
    windows
        Lengths and strides.
    notes
        Counts what gave no window and why; added to.
    """
    length = round(windows.seconds * sfreq)
    parts = [kinds.fixed_windows(n_times, length=length, stride=round(windows.stride_seconds * sfreq))]
    task, duration = row["task"], n_times / sfreq
    events = _events(row, notes) if row["reader"] == "hbn" else None
    if events is not None and task == "RestingState":
        intervals = eyes_intervals(events, duration=duration)
        parts.append(kinds.eyes_windows(intervals, n_times=n_times, sfreq=sfreq, length=length))
    if events is not None and task in _MOVIE_TASKS:
        movies = movie_intervals(events, duration=duration)
        notes["movies without a stop"] += int((~movies["has_stop"].astype(bool)).sum())
        parts.append(
            kinds.movie_windows(
                movies,
                n_times=n_times,
                sfreq=sfreq,
                length=length,
                stride_seconds=windows.movie_stride_seconds,
            )
        )
    if task == "contrastChangeDetection":
        if events is not None:
            trials = contrast_change_trials(events)
            scored = kinds.trial_windows(trials, n_times=n_times, sfreq=sfreq)
            responded = int(trials["rt_from_stimulus"].notna().sum())
            notes["trials without a target or a response"] += len(trials) - responded
            notes["trials that end outside their recording"] += responded - len(scored)
            parts.append(scored)
        if math.isnan(row["externalizing"]):
            notes["contrast change recordings without an externalizing label"] += 1
        else:
            parts.append(kinds.crop_windows(n_times, sfreq=sfreq))
    blank = {"movie": "", "movie_time": np.nan, "eyes": "", "reaction_time": np.nan, "reason": ""}
    filled = [
        part.assign(**{name: value for name, value in blank.items() if name not in part}) for part in parts
    ]
    return pd.concat(filled, ignore_index=True)


def _events(row: Mapping[str, Any], notes: Counter[str]) -> pd.DataFrame | None:
    path = events_path(Path(row["path"]))
    try:
        return read_events(path)
    except FileNotFoundError:
        notes["recordings without events"] += 1
    except (ValueError, OSError) as error:
        notes["recordings with unreadable events"] += 1
        warnings.warn(f"{path}: events unreadable: {error}", stacklevel=2)
    return None
