from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cerebro.errors import UserError
from cerebro.recordings.montages import positions
from cerebro.shards.store import (
    LEAST_BIT_UV,
    ShardWriter,
    open_shard,
    quantise,
    read_table,
    read_window,
    write_table,
)


def test_signals_come_back_to_half_a_least_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    recordings = [rng.normal(0, 50, (5, length)).astype(np.float32) for length in (300, 1, 777)]
    with ShardWriter(tmp_path / "a.npy", n_chans=5) as shard:
        for signal in recordings:
            shard.append(quantise(signal)[0].T)
    signals = open_shard(tmp_path / "a.npy")
    assert signals.shape == (1078, 5)
    assert signals.flags.c_contiguous
    offset = 0
    for signal in recordings:
        window = read_window(signals, offset, signal.shape[1])
        assert window.dtype == np.float32
        assert window.flags.c_contiguous
        np.testing.assert_allclose(window, signal, atol=LEAST_BIT_UV / 2 + 1e-4)
        offset += signal.shape[1]


def test_the_file_is_what_numpy_itself_would_read(tmp_path: Path) -> None:
    samples = np.arange(12, dtype=np.int16).reshape(4, 3)
    with ShardWriter(tmp_path / "a.npy", n_chans=3) as shard:
        shard.append(samples[:1])
        shard.append(samples[1:])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), samples)


def test_a_shard_without_recordings_opens(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.npy", n_chans=0):
        pass
    assert open_shard(tmp_path / "a.npy").shape == (0, 0)


def test_clipped_samples_are_counted() -> None:
    steps, clipped = quantise(np.array([[0.0, 3276.7, 3276.8, -5000.0, 1e9]]))
    assert clipped == 3
    assert steps.tolist() == [[0, 32767, 32767, -32767, 32767]]


def test_a_window_outside_the_shard_is_refused() -> None:
    signals = np.zeros((100, 2), dtype=np.int16)
    assert read_window(signals, 50, 50).shape == (2, 50)
    for start in (-1, 51):
        with pytest.raises(IndexError):
            read_window(signals, start, 50)


def test_samples_of_another_shape_or_type_are_refused(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "a.npy", n_chans=3) as shard:
        with pytest.raises(ValueError, match=r"int16 \(n_times, 3\)"):
            shard.append(np.zeros((5, 2), dtype=np.int16))
        with pytest.raises(ValueError, match="float64"):
            shard.append(np.zeros((5, 3)))


def test_the_table_carries_channels_positions_and_rate(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", pa.table({"recording": ["x"]}), channels=["E1", "Cz"], sfreq=100)
    table = read_table(tmp_path / "a.parquet")
    assert table.channels == ("E1", "Cz")
    assert table.sfreq == 100
    assert list(table.recordings["recording"]) == ["x"]
    np.testing.assert_array_equal(table.positions, positions(["E1", "Cz"]))


def test_another_parquet_file_is_no_table_of_a_shard(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="names no channels"):
        read_table(tmp_path / "a.parquet")
