"""Which windows are probed: of held-out subjects only, evenly spread, the same for every encoder."""

from collections.abc import Sequence

import pandas as pd

from cerebro.data.selection import evenly_per_subject
from cerebro.data.spread import spread
from cerebro.errors import UserError
from cerebro.evaluation.targets import WindowSet
from cerebro.shards.store import SFREQ

HELD_OUT = ("validation", "test")
"""Splits of subjects whose labels no training has seen."""


def probed_windows(
    index: pd.DataFrame, sets: Sequence[WindowSet], *, at_most: int
) -> dict[WindowSet, pd.DataFrame]:
    """Windows to probe, by set.

    Parameters
    ----------
    index : DataFrame
        The window index.
    sets : sequence of str
        Kinds of windows.
    at_most : int
        Windows of one subject in a set.

    Returns
    -------
    dict of str to DataFrame
        Kept windows of validation and test subjects, numbered from 0, ordered by ``window``. Datasets without
        a test subject (TUH) take no part: there is nothing to score them on. Windows of films do not overlap
        and are the same moments of a film for all subjects.

    Raises
    ------
    UserError
        When the index has no test split.
    """
    scored = index.loc[index["split"] == "test", "dataset"].unique()
    if not len(scored):
        raise UserError(
            "the window index has no test split, so no probe can be scored: put a release that the datasets "
            "hold into splits.test_releases"
        )
    candidates = index[index["keep"] & index["dataset"].isin(scored) & index["split"].isin(HELD_OUT)]
    candidates = candidates.sort_values("window")
    chosen = {}
    for name in sets:
        windows = candidates[candidates["kind"] == name]
        if name == "movie":
            windows = _common_moments(windows, at_most)
        chosen[name] = evenly_per_subject(windows, at_most)
    return chosen


def _common_moments(windows: pd.DataFrame, at_most: int) -> pd.DataFrame:
    """Windows of moments that do not overlap, the same ones for all; of repeats of a moment the first."""
    if windows.empty:
        return windows
    samples = (windows["movie_time"] * SFREQ).round().astype(int)
    windows = windows[samples % windows["length"] == 0].drop_duplicates(["subject", "movie", "movie_time"])
    moments = windows[["movie", "movie_time"]].drop_duplicates().sort_values(["movie", "movie_time"])
    return windows.merge(moments.iloc[spread(len(moments), at_most)], on=["movie", "movie_time"])
