"""Means over consecutive windows of a recording: what answers would gain if a model could see its neighbours.

The challenge shows a model one window at a time, so that no submission can do this; it is for comparisons.
"""

import pandas as pd

from cerebro.scoring.challenge import ANSWERS


def smoothed(answers: pd.DataFrame, windows: int) -> pd.DataFrame:
    """Replace each answer by the mean over consecutive windows of its recording, centred on its own.

    Parameters
    ----------
    answers : DataFrame
        ``recording``, ``onset`` (s), ``prediction`` and ``unshrunk``; rows in any order, with a unique index.
    windows : int
        How many windows, an odd number; 1 changes nothing. At the ends of a recording the mean is over those
        that there are.

    Returns
    -------
    DataFrame
        The rows of ``answers`` in their order.
    """
    if windows == 1:
        return answers
    in_time = answers.sort_values(["recording", "onset"], kind="stable")
    rolling = in_time.groupby("recording")[list(ANSWERS)].rolling(windows, center=True, min_periods=1)
    means = rolling.mean().droplevel("recording")
    return answers.assign(**{column: means[column] for column in ANSWERS})
