"""Test windows as the challenge's scorer hands them over: 129 channels in order, volts, Cz reference."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.errors import UserError
from cerebro.shards.store import open_shard, read_table, read_window

CHANNELS = (*(f"E{number}" for number in range(1, 129)), "Cz")
"""The scorer's channels, in its order; Cz is the reference and flat."""
N_TIMES = 200
"""Samples of a scored window: 2 s at 100 Hz."""
SFREQ = 100.0
VOLTS_PER_MICROVOLT = np.float32(1e-6)


def scored_windows(rows: pd.DataFrame, *, shards: Path, chunk: int = 256) -> Iterator[NDArray[np.float32]]:
    """Read windows in the order of ``rows``, in chunks.

    Parameters
    ----------
    rows : DataFrame
        Rows of the window index of a challenge's kind.
    shards : Path
        Folder of the shards.
    chunk : int
        Windows held at once (0.1 MB each).

    Yields
    ------
    array, shape (up to chunk, 129, 200)
        Volts; zeros where a channel was not recorded.

    Raises
    ------
    UserError
        When windows are not 200 samples of a 100 Hz shard, or a shard holds none of the scorer's channels.
    """
    if wrong := set(rows["length"]) - {N_TIMES}:
        raise UserError(f"the challenge scores windows of {N_TIMES} samples, not of {sorted(wrong)[0]}")
    opened = {}
    for name in rows["shard"].unique():
        table = read_table(shards / f"{name}.parquet")
        if table.sfreq != SFREQ:
            raise UserError(
                f"the challenge scores windows at {SFREQ:g} Hz, shard {name} is at {table.sfreq:g} Hz"
            )
        columns = {channel: column for column, channel in enumerate(table.channels)}
        present = [place for place, channel in enumerate(CHANNELS) if channel in columns]
        if not present:
            raise UserError(f"shard {name} holds none of the challenge's channels E1..E128 and Cz")
        taken = [columns[CHANNELS[place]] for place in present]
        opened[name] = (open_shard(shards / f"{name}.npy"), present, taken)
    for first in range(0, len(rows), chunk):
        part = rows.iloc[first : first + chunk]
        windows = np.zeros((len(part), len(CHANNELS), N_TIMES), np.float32)
        for window, name, start in zip(windows, part["shard"], part["start"], strict=True):
            signals, present, taken = opened[name]
            window[present] = read_window(signals, int(start), N_TIMES)[taken]
        yield windows * VOLTS_PER_MICROVOLT
