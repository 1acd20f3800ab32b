"""HBN's events as plain ones: what happened and for how long, in columns that labels can be declared on.

Event codes mean different things in different tasks, and files hold events of other tasks: each task's own
module reads its vocabulary and ignores the rest. HBN's tasks are known by name here alone.

============= ================================================================= =========================
value         columns                                                           onset, duration
============= ================================================================= =========================
``eyes``      ``eyes``: open, closed                                            the interval
``movie``     ``movie``; ``movie_time``, the movie's time (s) at the onset;     the stretch without a gap
              ``reason``, why it can't be used (empty: it can)
``condition`` ``condition``; ``correct``: 1 right, 0 wrong, a share of several  the interval
``target``    ``side``; ``response_time`` (s); ``correct``; ``trial``:          the stimulus
              `left/right`, the side and how the answer was
============= ================================================================= =========================

The recorder's own marks stay as they are.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cerebro.recordings.events import BREAKS
from cerebro.recordings.hbn_conditions import learning_blocks, surround_stimuli, symbol_trials
from cerebro.recordings.hbn_contrast_change import contrast_change_trials, runs_within
from cerebro.recordings.hbn_movies import MOVIES, movie_intervals
from cerebro.recordings.hbn_resting_state import eyes_intervals

CONDITIONS: Mapping[str, Callable[..., pd.DataFrame]] = {
    "surroundSupp": surround_stimuli,
    "seqLearning6target": learning_blocks,
    "seqLearning8target": learning_blocks,
    "symbolSearch": symbol_trials,
}
"""Tasks with conditions, and what finds their intervals."""

_MOVIE_TASKS = {name for name, _ in MOVIES.values()}


def interpret_events(
    events: pd.DataFrame, *, row: Mapping[str, Any], duration: float, notes: Counter[str]
) -> pd.DataFrame:
    """Turn HBN's codes into plain events, by the task of the recording.

    Parameters
    ----------
    events
        What :func:`cerebro.recordings.events.complete_events` returns.
    row
        The recording's row of the inventory.
    duration
        Length of the recording in s.
    notes
        Counts what was assumed, cut, or not to be used; added to.

    Returns
    -------
    pandas.DataFrame
        ``onset`` and ``duration`` (s), ``value``, and the columns above (NaN where an event has none).
    """
    task = row["task"]
    breaks = events.loc[events["value"].isin(BREAKS), ["onset", "value"]]
    if task == "RestingState":
        found = _eyes(events, duration, notes)
    elif task in _MOVIE_TASKS:
        found = _movies(events, task, duration, notes)
    elif task in CONDITIONS:
        found = _conditions(events, task, duration, notes)
    elif task == "contrastChangeDetection":
        found = _targets(events, str(row["run"]), notes)
    else:
        return breaks.assign(duration=np.nan)
    plain = pd.concat([found, breaks.assign(duration=np.nan)], ignore_index=True)
    return plain.sort_values("onset", kind="stable").reset_index(drop=True)


def _lasting(intervals: pd.DataFrame, value: str) -> pd.DataFrame:
    """Intervals as events; those of no length, behind the end of their recording, are none."""
    lasting = intervals[intervals["stop"] > intervals["start"]]
    plain = lasting.drop(columns=["start", "stop"])
    return plain.assign(onset=lasting["start"], duration=lasting["stop"] - lasting["start"], value=value)


def _eyes(events: pd.DataFrame, duration: float, notes: Counter[str]) -> pd.DataFrame:
    intervals = eyes_intervals(events, duration=duration)
    for note in intervals.loc[intervals["note"] != "", "note"]:
        notes[f"eyes intervals {note}"] += 1
    return _lasting(intervals.drop(columns="note"), "eyes")


def _movies(events: pd.DataFrame, task: str, duration: float, notes: Counter[str]) -> pd.DataFrame:
    movies = movie_intervals(events, duration=duration)
    shown = movies.drop_duplicates("movie")
    notes["movies without a stop"] += int((~shown["has_stop"]).sum())
    notes["movie recordings without a movie"] += int(movies.empty)
    notes["movie recordings with two movies"] += int(len(shown) > 1)
    notes["movie recordings that hold another movie"] += int((shown["movie"] != task).any())
    for reason, stretches in movies[movies["reason"] != ""].groupby("reason"):
        notes[f"movies: {reason}"] += stretches["movie"].nunique()
    return _lasting(movies.drop(columns="has_stop"), "movie")


def _conditions(events: pd.DataFrame, task: str, duration: float, notes: Counter[str]) -> pd.DataFrame:
    intervals = CONDITIONS[task](events, duration=duration)
    notes[f"{task} intervals without a condition"] += int((intervals["condition"] == "").sum())
    unanswered = 0 if task == "surroundSupp" else int(intervals["correct"].isna().sum())
    notes[f"{task} intervals without an answer"] += unanswered
    # Blocks of one number are others in each task.
    named = [f"{task}/{condition}" if condition else np.nan for condition in intervals["condition"]]
    return _lasting(intervals.assign(condition=pd.Series(named, intervals.index, dtype=object)), "condition")


def _targets(events: pd.DataFrame, run: str, notes: Counter[str]) -> pd.DataFrame:
    trials = contrast_change_trials(events)
    shown, answered = trials["stimulus_onset"].notna(), trials["rt_from_stimulus"].notna()
    notes["contrast change recordings without trials"] += int(trials.empty)
    notes["contrast change recordings that hold another run's block"] += int(
        bool(run) and any(held != run.lstrip("0") for held in runs_within(events))
    )
    notes["trials without a target"] += int((~shown).sum())
    notes["trials with a target and no press"] += int((shown & ~answered).sum())
    correct = trials["correct"].astype(float)
    answer = (
        trials["side"].astype(object)
        + "/"
        + correct.map({1.0: "right", 0.0: "wrong"}).fillna("").astype(object)
    )
    return pd.DataFrame(
        {
            "onset": trials["stimulus_onset"],
            "duration": np.nan,
            "value": "target",
            "side": trials["side"],
            "response_time": trials["rt_from_stimulus"],
            "correct": correct,
            "trial": answer.where(answered),
        }
    )[shown]
