"""Movies: which one was shown when, and the movie's own time at every moment of the recording."""

import math

import numpy as np
import pandas as pd

from cerebro.recordings.events import BREAKS

MOVIES = {
    "81": ("DiaryOfAWimpyKid", 117.396),
    "82": ("FunwithFractals", 162.990),
    "83": ("DespicableMe", 170.546),
    "84": ("ThePresent", 203.070),
}
"""Movies by the code of their `video_start`: name and true duration in s (the same within 30 ms in HBN)."""

MOVIE_TOLERANCE = 0.2
"""Seconds by which a movie's duration may differ from the true one."""

PAUSED = "movie paused"
STOPPED = "movie stopped early"
DROPPED = "movie time unknown between dropped samples"

_COLUMNS = ["start", "stop", "movie", "movie_time", "has_stop", "reason"]


def movie_intervals(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Movies shown during a recording, known by their event code and not by the file's name.

    A movie with start and stop (or a duration in the row of its start) counts if it lasts its true duration.
    One that lasts longer was paused, one that lasts less was stopped or lost samples nobody knows where:
    these carry a reason. Where the file says where samples were dropped (``boundary``), movie time runs from
    the start up to the first such place, and from the last one to the stop, which is the movie's end; only
    what lies between two of them stays unknown. A movie without its stop lasts as long as the movie does, or
    until the next movie, a mark of the recorder, or the end of the recording.

    Returns
    -------
    pandas.DataFrame
        One row per stretch of a movie without a gap (one per movie where no samples were dropped): ``start``,
        ``stop`` (s of the recording), ``movie``, ``movie_time`` (s of the movie at ``start``), ``has_stop``
        and ``reason`` (empty if usable).
    """
    onset, value, code = events["onset"].to_numpy(float), events["value"], events["code"]
    stated = events["duration"].to_numpy(float)
    is_start = ((value == "video_start") & code.isin(list(MOVIES))).to_numpy(bool)
    starts = onset[is_start]
    rows: list[tuple[float, float, str, float, bool, str]] = []
    for index in np.flatnonzero(is_start):
        start, (movie, nominal) = onset[index], MOVIES[code[index]]
        if not 0 <= start < duration:
            continue
        next_start = min(starts[starts > start], default=math.inf)
        own_stop = ((value == "video_stop") & (code == str(int(code[index]) + 20))).to_numpy(bool)
        stop = min(onset[own_stop & (onset > start) & (onset <= next_start)], default=math.inf)
        if math.isinf(stop) and math.isfinite(stated[index]):
            stop = start + stated[index]
        if math.isinf(stop):
            marks = onset[value.isin(BREAKS)]
            stop = min(start + nominal, next_start, min(marks[marks > start], default=math.inf))
            rows.append((start, stop, movie, 0.0, False, ""))
            continue
        gaps = onset[(value == "boundary") & (onset > start) & (onset < stop)]
        missing = nominal - (stop - start)
        if abs(missing) <= MOVIE_TOLERANCE:
            rows.append((start, stop, movie, 0.0, True, ""))
        elif missing < 0 or not len(gaps):
            rows.append((start, stop, movie, 0.0, True, PAUSED if missing < 0 else STOPPED))
        else:
            rows.append((start, gaps[0], movie, 0.0, True, ""))
            if gaps[-1] > gaps[0]:
                rows.append((gaps[0], gaps[-1], movie, gaps[0] - start, True, DROPPED))
            rows.append((gaps[-1], stop, movie, nominal - (stop - gaps[-1]), True, ""))
    inside = [(start, min(stop, duration), *rest) for start, stop, *rest in rows if start < duration]
    return pd.DataFrame(inside, columns=_COLUMNS).astype(
        {"start": float, "stop": float, "movie_time": float, "has_stop": bool}
    )
