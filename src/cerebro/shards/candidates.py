"""All candidate windows of one recording: its events read, the kinds of window that its task allows cut."""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.config import Windows
from cerebro.errors import UserError
from cerebro.recordings.contrast_change import contrast_change_trials, runs_within
from cerebro.recordings.events import BREAKS, complete_events
from cerebro.recordings.movies import MOVIES, movie_intervals
from cerebro.recordings.readers import events_function
from cerebro.recordings.resting_state import eyes_intervals
from cerebro.recordings.task_conditions import learning_blocks, surround_stimuli, symbol_trials
from cerebro.shards import kinds

CONDITIONS: Mapping[str, Callable[..., pd.DataFrame]] = {
    "surroundSupp": surround_stimuli,
    "seqLearning6target": learning_blocks,
    "seqLearning8target": learning_blocks,
    "symbolSearch": symbol_trials,
}
"""Tasks whose windows carry a condition, and what finds its intervals."""

BROKEN = "break in the recording"
"""Reason of windows in which the recorder broke off or samples were dropped."""

_MOVIE_TASKS = {name for name, _ in MOVIES.values()}
_BLANK = {
    "movie": "",
    "movie_time": np.nan,
    "eyes": "",
    "trial_time": np.nan,
    "reaction_time": np.nan,
    "side": "",
    "correct": np.nan,
    "condition": "",
    "reason": "",
}


def recording_events(row: Mapping[str, Any], notes: Counter[str]) -> pd.DataFrame | None:
    """Read the events of a recording by its reader.

    Parameters
    ----------
    row
        Its row of the inventory.
    notes
        Counts recordings whose events are missing or unreadable; added to.

    Returns
    -------
    pandas.DataFrame or None
        What :func:`cerebro.recordings.events.complete_events` returns; None where there are no events.

    Raises
    ------
    UserError
        If the disk or the network does not give the events: nobody would miss the windows.
    """
    read = events_function(row["reader"])
    if read is None:
        return None
    try:
        return complete_events(read(Path(row["path"])), source=row["recording"])
    except FileNotFoundError:
        notes["recordings without events"] += 1
    except OSError as error:
        raise UserError(
            f"the events of {row['path']} can't be read ({error}); running again may help"
        ) from error
    except ValueError as error:
        notes["recordings with unreadable events"] += 1
        warnings.warn(f"{row['recording']}: events unreadable: {error}", stacklevel=2)
    return None


def candidates(
    row: Mapping[str, Any],
    events: pd.DataFrame | None,
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
    events
        Its events, None where there are none.
    n_times, sfreq
        Its length in the shard in samples, the shard's sampling rate in Hz.
    windows
        Lengths and strides.
    notes
        Counts what gave no window and why; added to.
    """
    length = round(windows.seconds * sfreq)
    size: dict[str, Any] = {"n_times": n_times, "sfreq": sfreq}
    task, duration = row["task"], n_times / sfreq
    parts = [kinds.fixed_windows(n_times, length=length, stride=round(windows.stride_seconds * sfreq))]
    if events is not None and task == "RestingState":
        intervals = eyes_intervals(events, duration=duration)
        parts.append(kinds.eyes_windows(intervals, length=length, **size))
    if events is not None and task in _MOVIE_TASKS:
        movies = movie_intervals(events, duration=duration)
        _count_movies(movies, task, notes)
        stride = windows.movie_stride_seconds
        parts.append(kinds.movie_windows(movies, length=length, stride_seconds=stride, **size))
    if events is not None and task in CONDITIONS:
        intervals = CONDITIONS[task](events, duration=duration)
        unnamed = int((intervals["condition"] == "").sum())
        notes[f"{task} intervals without a condition"] += unnamed
        unanswered = 0 if task == "surroundSupp" else int(intervals["correct"].isna().sum())
        notes[f"{task} intervals without an answer"] += unanswered
        parts.append(kinds.condition_windows(intervals, length=length, **size))
    if events is not None and task == "contrastChangeDetection":
        parts.append(_trials(events, row, notes, **size))
    if task == "contrastChangeDetection":
        if math.isnan(row["externalizing"]):
            notes["contrast change recordings without an externalizing label"] += 1
        else:
            parts.append(kinds.crop_windows(n_times, sfreq=sfreq))
    filled = [
        part.assign(**{name: value for name, value in _BLANK.items() if name not in part}) for part in parts
    ]
    frame = pd.concat(filled, ignore_index=True)
    return frame if events is None else _mark_breaks(frame, events, **size)


def _trials(
    events: pd.DataFrame, row: Mapping[str, Any], notes: Counter[str], *, n_times: int, sfreq: float
) -> pd.DataFrame:
    trials = contrast_change_trials(events)
    inside = kinds.trial_windows(trials, n_times=n_times, sfreq=sfreq)
    targets, responded = trials["stimulus_onset"].notna(), trials["rt_from_stimulus"].notna()
    notes["contrast change recordings without trials"] += int(trials.empty)
    notes["contrast change recordings that hold another run's block"] += int(
        bool(row["run"]) and any(run != str(row["run"]).lstrip("0") for run in runs_within(events))
    )
    notes["trials without a target"] += int((~targets).sum())
    notes["trials with a target and no press"] += int((targets & ~responded).sum())
    notes["trials whose window would end outside their recording"] += int(responded.sum()) - len(inside)
    return inside


def _count_movies(movies: pd.DataFrame, task: str, notes: Counter[str]) -> None:
    shown = movies.drop_duplicates("movie")
    notes["movies without a stop"] += int((~shown["has_stop"]).sum())
    notes["movie recordings without a movie"] += int(movies.empty)
    notes["movie recordings with two movies"] += int(len(shown) > 1)
    notes["movie recordings that hold another movie"] += int((shown["movie"] != task).any())
    for reason, stretches in movies[movies["reason"] != ""].groupby("reason"):
        notes[f"movies: {reason}"] += stretches["movie"].nunique()


def _mark_breaks(frame: pd.DataFrame, events: pd.DataFrame, *, n_times: int, sfreq: float) -> pd.DataFrame:
    """Give a reason to windows in which the recorder left a mark; in a trial, from the target on."""
    seconds = events.loc[events["value"].isin(BREAKS), "onset"].to_numpy(float)
    marks = np.rint(np.clip(seconds * sfreq, 0, n_times)).astype(np.int64)
    delay = np.where(frame["kind"] == "trial", int(kinds.TRIAL_DELAY_SECONDS * sfreq), 0)
    starts = frame["start"].to_numpy()
    before = np.searchsorted(marks, starts - delay, side="right")
    broken = np.searchsorted(marks, starts + frame["length"].to_numpy(), side="left") > before
    reason = frame["reason"].mask((frame["reason"] == "") & broken, BROKEN)
    return frame.assign(reason=reason)
