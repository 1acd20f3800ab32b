"""Which windows are probed: of held-out people only, evenly spread, the same for every encoder."""

from collections.abc import Collection, Sequence

import pandas as pd

from cerebro.data.moments import TIME_DECIMALS
from cerebro.data.selection import evenly_per_subject
from cerebro.data.spread import spread
from cerebro.shards.store import SFREQ

HELD_OUT = ("validation", "test")
"""Splits of people whose labels no training has seen."""


def probed_windows(
    index: pd.DataFrame, sets: Sequence[str], *, stimuli: Collection[str] = (), at_most: int
) -> dict[str, pd.DataFrame]:
    """Windows to probe, by set.

    Parameters
    ----------
    index : DataFrame
        The window index.
    sets : sequence of str
        Kinds of windows.
    stimuli : collection of str
        Those of them that are labels of moments.
    at_most : int
        Windows of one person in a set.

    Returns
    -------
    dict of str to DataFrame
        Kept windows of validation and test people, numbered from 0, ordered by ``window``. Datasets without
        a test person take no part in a set of which others have some: there is nothing to score them on.
        Where nobody is in the test split, validation people are scored, and all datasets take part. Windows
        of stimuli do not overlap and are the same moments for all people.
    """
    kept = index[index["keep"] & index["split"].isin(HELD_OUT)].sort_values("window")
    chosen = {}
    for name in sets:
        windows = kept[kept["kind"] == name]
        scored = windows.loc[windows["split"] == "test", "dataset"].unique()
        if len(scored):
            windows = windows[windows["dataset"].isin(scored)]
        if name in stimuli:
            windows = _common_moments(windows, at_most)
        chosen[name] = evenly_per_subject(windows, at_most)
    return chosen


def _common_moments(windows: pd.DataFrame, at_most: int) -> pd.DataFrame:
    """Windows of moments that do not overlap, the same ones for all; of repeats of a moment the first."""
    if windows.empty:
        return windows
    windows = windows.assign(moment=windows["moment"].round(TIME_DECIMALS))
    samples = (windows["moment"] * SFREQ).round().astype(int)
    windows = windows[samples % windows["length"] == 0].drop_duplicates(["subject", "stream", "moment"])
    moments = windows[["stream", "moment"]].drop_duplicates().sort_values(["stream", "moment"])
    return windows.merge(moments.iloc[spread(len(moments), at_most)], on=["stream", "moment"])
