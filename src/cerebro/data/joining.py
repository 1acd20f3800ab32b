"""Longer windows, joined from neighbouring ones of a recording: one set of shards serves all lengths."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cerebro.shards.store import SFREQ

NEGLIGIBLE = 1e-3
"""Seconds by which a moment may miss a multiple of the length, through rounding."""


def joined(
    windows: pd.DataFrame,
    seconds: float,
    *,
    by: Sequence[str] = (),
    agree: Sequence[str] = (),
    moments: bool = False,
) -> pd.DataFrame:
    """Join windows that follow each other without a gap into longer ones that do not overlap.

    Parameters
    ----------
    windows : DataFrame
        Rows of the window index, of one length within a kind and recording, which divides the new one.
    seconds : float
        Length of the joined windows.
    by : sequence of str
        Columns that must be known and equal in all parts of a joined window: the label that is learned.
    agree : sequence of str
        Columns of numbers that become NaN where the parts differ: labels that may be missing.
    moments : bool
        Joined windows begin only where ``moment`` is a multiple of their length, so that those of different
        people still meet.

    Returns
    -------
    DataFrame
        The first part of each joined window with the ``length`` (samples) of the whole, in the order of
        ``windows``, numbered from 0; empty where nothing can be joined.
    """
    length = round(seconds * SFREQ)
    allowed = np.ones(len(windows), bool)
    if moments:
        off = np.mod(windows["moment"].to_numpy(float) + NEGLIGIBLE, seconds)
        allowed = off < 2 * NEGLIGIBLE
    same = np.zeros(len(windows), int)
    if by:
        grouped = windows.groupby(list(by), sort=False).ngroup()
        same = grouped.fillna(-1).to_numpy(int)
    start, own = windows["start"].to_numpy(np.int64), windows["length"].to_numpy(np.int64)
    parts: dict[int, list[int]] = {}
    for rows in windows.groupby(["kind", "recording"], sort=False).indices.values():
        at = {int(start[row]): int(row) for row in rows if same[row] >= 0}
        free = -1
        for begin, row in sorted(at.items()):
            if begin < free or not allowed[row]:
                continue
            members = [at.get(place, row) for place in range(begin, begin + length, int(own[row]))]
            whole = len(set(members)) == len(members)
            if whole and all(same[member] == same[row] for member in members):
                parts[row] = members
                free = begin + length
    first = sorted(parts)
    found = windows.iloc[first].assign(length=length).reset_index(drop=True)
    for name in agree:
        values = windows[name].to_numpy(float)
        differ = [(values[parts[row]] != values[row]).any() for row in first]
        found.loc[np.array(differ, bool), name] = np.nan
    return found
