"""The same EEG under two names: people who came twice, twins by a mistake in a table, copied files.

A recording's fingerprint, written where its shard is, finds candidates among all recordings of a study; their
stored signals decide. Neither knows channels by name or order, so that another header, file format or order
of channels hides nothing; two recordings of one person are never taken for one.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

SECOND = 100
"""Samples; shards are of 100 Hz."""
SECONDS = 16
"""Length of a fingerprint."""
_TOLERANCE = 0.02
"""Largest difference of two fingerprints (natural logarithm of amplitude) of one signal: another file format
rounds to another least bit."""
_LENGTH_TOLERANCE = 2.0
"""Largest difference of two lengths in s: formats pad their last record."""
_BLOCKS = 16
"""Seconds of two candidates whose signals are compared, evenly spread."""
_LARGEST_DIFFERENCE = 0.1
"""Root mean square of the difference of two courses of one signal in a second, as a share of deviation."""


def fingerprint(samples: NDArray[np.int16]) -> list[float]:
    """The logarithm of amplitude in each of the first seconds, from the first on that has a signal.

    What follows the end of a recording, as a file's last record does, changes nothing.

    Parameters
    ----------
    samples : array, shape (n_times, n_chans)
        As stored, at 100 Hz; channels that a recording lacks are zero and change nothing.

    Returns
    -------
    list of :data:`SECONDS` floats
        Zeros behind the end of a shorter recording; empty where nothing has a signal.
    """
    begin = int(np.argmax(samples.any(axis=1))) // SECOND * SECOND
    part = samples[begin : begin + SECONDS * SECOND]
    if not part.any():
        return []
    energies = [_energy(part[start : start + SECOND]).mean() for start in range(0, len(part), SECOND)]
    return [float(np.log1p(energy) / 2) for energy in energies] + [0.0] * (SECONDS - len(energies))


def repeated(recordings: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Find pairs of recordings that hold the same signals under the names of two people.

    Parameters
    ----------
    recordings
        Columns ``recording``, ``person``, ``shard``, ``offset`` and ``length`` (samples), ``fingerprint``.
    folder
        Of the shards.

    Returns
    -------
    DataFrame
        Columns ``first`` and ``second``: rows of ``recordings`` by number.
    """
    known = recordings[recordings["fingerprint"].map(len) == SECONDS]
    pairs = [
        (first, second)
        for first, second in _candidates(known)
        if known["person"].iloc[first] != known["person"].iloc[second]
        and _same(known.iloc[first], known.iloc[second], folder)
    ]
    numbers = np.array(pairs, dtype=int).reshape(-1, 2)
    places = recordings.index.get_indexer(known.index)
    return pd.DataFrame({"first": places[numbers[:, 0]], "second": places[numbers[:, 1]]})


def _candidates(known: pd.DataFrame) -> Iterator[tuple[int, int]]:
    if known.empty:
        return
    length = known["length"].to_numpy(float) / SECOND / _LENGTH_TOLERANCE * _TOLERANCE
    points = np.column_stack([np.stack(known["fingerprint"].to_list()), length])
    yield from sorted(cKDTree(points).query_pairs(_TOLERANCE, p=np.inf))


def _same(one: pd.Series, other: pd.Series, folder: Path) -> bool:
    """Whether the signals agree in most of some seconds all over the recordings; filters blur the ends."""
    seconds = min(one["length"], other["length"]) // SECOND
    starts = np.unique(np.linspace(0, seconds - 1, _BLOCKS).astype(int)) * SECOND
    first, second = (
        np.stack([np.sqrt(_energy(signals[row["offset"] + start :][:SECOND])) for start in starts])
        for row in (one, other)
        for signals in [np.load(folder / f"{row['shard']}.npy", mmap_mode="r")]
    )
    difference = np.median(np.sqrt(np.mean((first - second) ** 2, axis=1)))
    return bool(difference <= _LARGEST_DIFFERENCE * max(first.std(), second.std()))


def _energy(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Sum of squares over channels at each time, the same in any order of channels."""
    return np.square(samples.astype(np.float64)).sum(axis=1)
