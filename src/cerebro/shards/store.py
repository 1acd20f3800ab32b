"""The shard store: int16 signals, time-major, one `.npy` per group of subjects and a table beside it.

A window of all channels is one contiguous read from a memory map.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cerebro.errors import UserError
from cerebro.files import atomic_path
from cerebro.recordings.montages import positions

SFREQ = 100.0
"""Sampling rate (Hz) of every shard, as of the challenge: patches, bands and lags of all models are of it."""
LEAST_BIT_UV = 0.1
"""One step of the stored integers, in µV: signals reach ±3.28 mV, finer than any amplifier's noise."""

_LIMIT = np.iinfo(np.int16).max
LIMIT_UV = _LIMIT * LEAST_BIT_UV
"""Samples beyond are clipped when they are stored."""


def quantise(signal_uv: np.ndarray) -> tuple[np.ndarray, int]:
    """Round µV to int16 steps of :data:`LEAST_BIT_UV`; also count the samples that had to be clipped."""
    steps = np.rint(signal_uv / LEAST_BIT_UV)
    clipped = int(np.count_nonzero(np.abs(steps) > _LIMIT))
    return np.clip(steps, -_LIMIT, _LIMIT).astype(np.int16), clipped


class ShardWriter:
    """Appends recordings to a `.npy` file whose length is known only in the end.

    NumPy's header leaves room for the first axis to grow, so it is written twice: empty, then with the
    final length.
    """

    def __init__(self, path: Path, *, n_chans: int) -> None:
        self._path = path
        self._n_chans = n_chans
        self.n_times = 0

    def __enter__(self) -> Self:
        self._stream: BinaryIO = self._path.open("wb")
        self._write_header()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._stream.seek(0)
            self._write_header()
        self._stream.close()

    def append(self, samples: np.ndarray) -> None:
        """Append int16 samples, shape (n_times, n_chans)."""
        if samples.dtype != np.int16 or samples.ndim != 2 or samples.shape[1] != self._n_chans:
            wanted = f"int16 (n_times, {self._n_chans})"
            raise ValueError(f"expected {wanted}, got {samples.dtype} {samples.shape}")
        self._stream.write(np.ascontiguousarray(samples).data)
        self.n_times += len(samples)

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.int16)),
            "fortran_order": False,
            "shape": (self.n_times, self._n_chans),
        }
        np.lib.format.write_array_header_1_0(self._stream, header)


def open_shard(path: Path) -> np.ndarray:
    """Memory-map the signals of a shard, int16, shape (n_times, n_chans)."""
    signals = np.load(path, mmap_mode="r")
    if signals.dtype != np.int16 or signals.ndim != 2:
        raise UserError(f"{path} is no shard: expected int16 (n_times, n_chans), got {signals.dtype}")
    return signals


def read_window(signals: np.ndarray, start: int, length: int) -> np.ndarray:
    """Read one window from an opened shard.

    Returns
    -------
    numpy.ndarray
        float32, shape (n_chans, n_times), µV, C-contiguous.

    Raises
    ------
    IndexError
        If the window isn't wholly inside the shard.
    """
    if start < 0 or start + length > len(signals):
        raise IndexError(f"window {start}..{start + length} is not within {len(signals)} samples")
    return signals[start : start + length].T.astype(np.float32, order="C") * np.float32(LEAST_BIT_UV)


@dataclass(frozen=True, kw_only=True)
class ShardTable:
    """The table beside a shard's signals."""

    recordings: pd.DataFrame
    """One row per recording of the group, see :data:`cerebro.shards.build.SCHEMA`."""
    channels: tuple[str, ...]
    """Canonical names of the signals' columns."""
    positions: np.ndarray
    """float32, shape (n_chans, 3), unit sphere."""
    sfreq: float
    """Sampling rate in Hz."""


def write_table(path: Path, recordings: pa.Table, *, channels: Sequence[str], sfreq: float) -> None:
    """Write the table of a shard, atomically; channels, positions and rate go to the schema's metadata."""
    metadata = {
        "channels": json.dumps(list(channels)),
        "positions": json.dumps(positions(channels).tolist()),
        "sfreq": json.dumps(sfreq),
        "least_bit_uv": json.dumps(LEAST_BIT_UV),
    }
    with atomic_path(path) as temporary:
        pq.write_table(recordings.replace_schema_metadata(metadata), temporary)


def read_table(path: Path) -> ShardTable:
    """Read the table of a shard.

    Raises
    ------
    UserError
        If the file isn't such a table.
    """
    table = pq.read_table(path)
    metadata = table.schema.metadata or {}
    if b"channels" not in metadata:
        raise UserError(f"{path} is no table of a shard: its schema names no channels")
    return ShardTable(
        recordings=table.to_pandas(),
        channels=tuple(json.loads(metadata[b"channels"])),
        positions=np.array(json.loads(metadata[b"positions"]), dtype=np.float32).reshape(-1, 3),
        sfreq=float(json.loads(metadata[b"sfreq"])),
    )
