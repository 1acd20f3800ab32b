"""Which windows of different people belong together: the sources of pairs of Phase 2.

A source is a label. The index says of each of its windows which *stream* it belongs to (a movie, the class of
an interval, a kind of event) and which *moment* of it the window begins at: windows that share both belong
together.
"""

import numpy as np
import pandas as pd

MOMENT = ("source", "stream", "moment")
"""Columns that are equal in windows that belong together."""
TIME_DECIMALS = 3
"""Times of one moment agree to the millisecond; beyond it they differ by rounding."""


def with_source(windows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Add the column ``source``, and let moments (s) that differ by rounding alone be equal."""
    return windows.assign(source=source, moment=windows["moment"].astype(np.float64).round(TIME_DECIMALS))


def shared_moments(windows: pd.DataFrame, subjects: int) -> pd.Series:
    """How many moments of each source at least that many subjects met, by source."""
    met = windows.groupby(list(MOMENT))["subject"].nunique()
    return (met >= subjects).groupby("source").sum()
