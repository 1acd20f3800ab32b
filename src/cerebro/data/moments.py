"""Which windows of different subjects belong together: the sources of pairs of Phase 2.

Every source sorts its windows into *moments*: a time of a *stream* that is the same for all who met it.

============== ============================== ===================================== =====================
source         windows (`kind`)               stream                                time
============== ============================== ===================================== =====================
movie          movie                          the movie                             movie time
resting_state  eyes                           eyes open, eyes closed                none: one moment each
task           trial, condition               task, condition, side and answer      since the trial began
============== ============================== ===================================== =====================
"""

from collections.abc import Mapping
from functools import reduce

import numpy as np
import pandas as pd

from cerebro.config import PairSource

KINDS: Mapping[PairSource, tuple[str, ...]] = {
    "movie": ("movie",),
    "resting_state": ("eyes",),
    "task": ("trial", "condition"),
}
"""Kinds of windows that each source pairs."""

MOMENT_COLUMNS = ("movie", "movie_time", "eyes", "task", "condition", "side", "correct", "trial_time")
"""Columns of the window index that say which moment a window is."""

TIME_DECIMALS = 3
"""Times of one moment agree to the millisecond; beyond it they differ by rounding."""


def named(windows: pd.DataFrame) -> pd.Series:
    """Which windows of a source say what they show, as bool: a condition may be missing from the events."""
    return (windows["kind"] != "condition") | (windows["condition"] != "")


def with_moments(windows: pd.DataFrame, source: PairSource) -> pd.DataFrame:
    """Add the columns ``source``, ``stream`` and ``moment`` (s) to windows of a source.

    Parameters
    ----------
    windows : DataFrame
        Rows of the window index of the source's kinds.
    source : {'movie', 'resting_state', 'task'}
    """
    if source == "movie":
        parts, time = ["movie"], windows["movie_time"]
    elif source == "resting_state":
        parts, time = ["eyes"], pd.Series(0.0, index=windows.index)
    else:
        parts, time = ["task", "condition", "side"], windows["trial_time"]
    stream = reduce(lambda joined, part: joined + "/" + part, (windows[part] for part in parts))
    if source == "task":
        # A share of right positions (sequence learning) is neither a right nor a wrong answer.
        stream = stream + "/" + windows["correct"].map({1.0: "right", 0.0: "wrong"}).fillna("")
    return windows.assign(
        source=source, stream=source + "/" + stream, moment=time.astype(np.float64).round(TIME_DECIMALS)
    )


def shared_moments(windows: pd.DataFrame, subjects: int) -> pd.Series:
    """How many moments of each source at least that many subjects met, by source."""
    met = windows.groupby(["source", "stream", "moment"])["subject"].nunique()
    return (met >= subjects).groupby("source").sum()
