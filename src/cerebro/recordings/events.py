"""Events of HBN: contrast change trials, eyes open and closed, movies. Times in seconds of the recording.

Event codes mean different things in different tasks, and files hold events of other tasks: every function
here reads its own task's vocabulary and ignores the rest.
"""

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

MOVIES = {
    "81": ("DiaryOfAWimpyKid", 117.396),
    "82": ("FunwithFractals", 162.990),
    "83": ("DespicableMe", 170.546),
    "84": ("ThePresent", 203.070),
}
"""Movies by the code of their `video_start`: name and true duration in s (the same within 30 ms in HBN)."""

MOVIE_TOLERANCE = 0.2
"""Seconds by which a movie may exceed its true duration; beyond, it was paused somewhere."""

EYES = {"instructed_toOpenEyes": ("open", 20.0), "instructed_toCloseEyes": ("closed", 40.0)}
"""Instructions of the resting state: state of the eyes and nominal length in s."""

_MOVIE_STOP = {str(int(code) + 20) for code in MOVIES}
_INTERRUPTIONS = ("boundary", "break cnt", "9999")


def read_events(path: Path) -> pd.DataFrame:
    """Read a BIDS ``events.tsv``, sorted by onset.

    Returns
    -------
    pandas.DataFrame
        Columns ``onset`` (float, s), ``value`` and ``code`` (str), ``feedback`` (str, NaN where none).
        Rows whose onset is no number are left out and counted in a warning.

    Raises
    ------
    ValueError
        If the file is no such table: the column ``onset`` or ``value`` is missing.
    """
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, na_values=["n/a", ""])
    if missing := [name for name in ("onset", "value") if name not in table]:
        raise ValueError(f"{path} has no column {' and '.join(missing)}")
    onset = pd.to_numeric(table["onset"], errors="coerce").where(lambda values: np.isfinite(values))
    if onset.isna().any():
        warnings.warn(f"{path}: {int(onset.isna().sum())} events without a time are ignored", stacklevel=2)
    nothing = pd.Series(np.nan, index=table.index, dtype=object)
    events = pd.DataFrame(
        {
            "onset": onset,
            "value": table["value"].fillna("n/a"),
            "code": table.get("event_code", nothing).fillna("").str.removesuffix(".0"),
            "feedback": table.get("feedback", nothing),
        }
    )
    return events[onset.notna()].sort_values("onset", kind="stable").reset_index(drop=True)


def contrast_change_trials(events: pd.DataFrame) -> pd.DataFrame:
    """Trials of contrast change detection by the rule that the challenge's scorer uses.

    A trial lasts from its start to the next start; the last start counts only if ``end_experiment`` follows.
    Its stimulus is the first target in it, its response the first press at or after the stimulus.

    Parameters
    ----------
    events
        What :func:`read_events` returns.

    Returns
    -------
    pandas.DataFrame
        One row per trial, in the columns of ``eegdash.hbn.windows.build_trial_table``, the reference
        implementation: ``trial_start_onset``, ``trial_stop_onset``, ``stimulus_onset``, ``response_onset``,
        ``rt_from_stimulus``, ``rt_from_trialstart`` (s, NaN where none), ``response_type`` and ``correct``
        (None where none). Empty if there is no trial.
    """
    onset, value = events["onset"].to_numpy(float), events["value"]
    starts = onset[value == "contrastTrial_start"]
    stops = starts[1:]
    ends = onset[value == "end_experiment"]
    if len(starts) and len(ends) and ends[-1] > starts[-1]:
        stops = np.append(stops, ends[-1])
    starts = starts[: len(stops)]
    targets = onset[value.isin(["left_target", "right_target"])]
    presses = events[value.isin(["left_buttonPress", "right_buttonPress"])]
    stimulus, _ = _first_within(targets, starts, stops)
    response, which = _first_within(
        presses["onset"].to_numpy(float), np.where(np.isnan(stimulus), starts, stimulus), stops
    )
    pressed = [presses.iloc[index] if index >= 0 else None for index in which]
    verdict = {"smiley_face": True, "sad_face": False}
    return pd.DataFrame(
        {
            "trial_start_onset": starts,
            "trial_stop_onset": stops,
            "stimulus_onset": stimulus,
            "response_onset": response,
            "rt_from_stimulus": response - stimulus,
            "rt_from_trialstart": response - starts,
            "response_type": [None if press is None else press["value"] for press in pressed],
            "correct": [None if press is None else verdict.get(press["feedback"]) for press in pressed],
        }
    )


def _first_within(times: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First of the sorted ``times`` in each [start, stop): its value and index, NaN and -1 where none."""
    index = np.searchsorted(times, starts, side="left")
    padded = np.append(times, np.inf)
    inside = padded[index] < stops
    return np.where(inside, padded[index], np.nan), np.where(inside, index, -1)


def eyes_intervals(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Intervals of the resting state with eyes open or closed.

    An interval begins with its instruction and ends with the next event of any kind, after its nominal
    20 s (open) or 40 s (closed), or with the recording, whichever is first: the last open interval has no
    end of its own, and foreign events show that the task is over.

    Returns
    -------
    pandas.DataFrame
        Columns ``start``, ``stop`` (s) and ``eyes`` (``open``, ``closed``).
    """
    onset = events["onset"].to_numpy(float)
    rows = []
    for index, value in enumerate(events["value"]):
        if value not in EYES or onset[index] >= duration:
            continue
        eyes, nominal = EYES[value]
        following = onset[index + 1] if index + 1 < len(onset) else np.inf
        rows.append((onset[index], min(onset[index] + nominal, following, duration), eyes))
    return pd.DataFrame(rows, columns=["start", "stop", "eyes"]).astype({"start": float, "stop": float})


def movie_intervals(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Movies shown during a recording, known by their event code and not by the file's name.

    A movie without its stop lasts as long as the movie does, or until the next movie, an interruption, or
    the end of the recording. One that is stopped within its nominal duration keeps what was shown; one that
    lasts longer was paused somewhere, so that nobody knows the time of the movie: it carries a reason.

    Returns
    -------
    pandas.DataFrame
        Columns ``start``, ``stop`` (s), ``movie``, ``has_stop`` and ``reason`` (empty if usable).
    """
    onset, value, code = events["onset"].to_numpy(float), events["value"], events["code"]
    is_start = ((value == "video_start") & code.isin(list(MOVIES))).to_numpy()
    is_stop = ((value == "video_stop") & code.isin(list(_MOVIE_STOP))).to_numpy()
    interruptions = onset[value.isin(_INTERRUPTIONS)]
    starts = onset[is_start]
    rows = []
    for index in np.flatnonzero(is_start):
        start, (movie, nominal) = onset[index], MOVIES[code[index]]
        if start >= duration:
            continue
        next_start = min(starts[starts > start], default=math.inf)
        own_stop = is_stop & (code == str(int(code[index]) + 20)).to_numpy()
        stop = min(onset[own_stop & (onset > start) & (onset <= next_start)], default=math.inf)
        has_stop = math.isfinite(stop)
        reason = ""
        if not has_stop:
            interrupted = min(interruptions[interruptions > start], default=math.inf)
            stop = min(start + nominal, next_start, interrupted)
        elif stop - start > nominal + MOVIE_TOLERANCE:
            reason = "movie paused"
        elif ((interruptions > start) & (interruptions < stop)).any():
            reason = "movie interrupted"
        rows.append((start, min(stop, duration), movie, has_stop, reason))
    return pd.DataFrame(rows, columns=["start", "stop", "movie", "has_stop", "reason"]).astype(
        {"start": float, "stop": float}
    )
