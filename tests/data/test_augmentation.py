import numpy as np
import pytest
import torch

from cerebro.data.augmentation import AugmentedDataset
from cerebro.data.windows import WindowDataset


def test_a_moved_window_reads_moved_samples_and_moves_its_label_along(study):
    table = study.table.query("kind == 'reaction_time'").reset_index(drop=True)
    still = WindowDataset(table, study.shards, ["reaction_time"])
    moving = AugmentedDataset(
        table,
        study.shards,
        ["reaction_time"],
        moment="reaction_time",
        lag_seconds=0.5,
        sfreq=100,
        seed=0,
    )
    rows = [1, 2, 3, 4, 17, 30]
    moved, fixed = moving[rows], still[rows]
    stored = np.load(study.shards / "hbn-0.npy")
    lags = ((fixed["reaction_time"] - moved["reaction_time"]) * 100).round().int().tolist()
    assert any(lag > 0 for lag in lags)
    assert any(lag < 0 for lag in lags)
    for place, (row, lag) in enumerate(zip(rows, lags, strict=True)):
        start = table["start"][row] + lag
        expected = stored[start : start + 200].T.astype(np.float32) * np.float32(0.1)
        np.testing.assert_array_equal(moved["signal"][place], expected)
    assert torch.equal(moving[rows]["reaction_time"], moved["reaction_time"])


def test_a_moved_window_never_leaves_its_recording(study):
    table = study.table.query("kind == 'reaction_time'").reset_index(drop=True)
    edges = [row for row in range(len(table)) if row % 12 in (0, 12 - 1)]
    for seed in range(20):
        moving = AugmentedDataset(
            table,
            study.shards,
            ["reaction_time"],
            moment="reaction_time",
            lag_seconds=1.0,
            sfreq=100,
            seed=seed,
        )
        moved = (
            torch.from_numpy(table["reaction_time"].to_numpy(np.float32))[edges]
            - moving[edges]["reaction_time"]
        )
        first = torch.tensor([row % 12 == 0 for row in edges])
        assert (moved[first] >= -1e-5).all()
        assert (moved[~first] <= 1e-5).all()


def test_channels_are_left_out_in_the_configured_share_and_by_seed_and_rows_alone(study):
    table = study.table.query("kind == 'crop'").reset_index(drop=True)
    whole = WindowDataset(table, study.shards)
    dropping = AugmentedDataset(table, study.shards, [], channel_drop=0.3, sfreq=100, seed=1)
    rows = list(range(len(table)))
    signal, fixed = dropping[rows]["signal"], whole[rows]["signal"]
    silent, flat = (signal == 0).all(dim=-1), (fixed == 0).all(dim=-1)
    assert (silent & ~flat).float().sum() / (~flat).sum() == pytest.approx(0.3, abs=0.03)
    assert torch.equal(signal[~silent], fixed[~silent])
    assert torch.equal(dropping[rows]["signal"], signal)
    other = AugmentedDataset(table, study.shards, [], channel_drop=0.3, sfreq=100, seed=2)
    assert not torch.equal(other[rows]["signal"], signal)


def test_windows_move_only_with_a_label_that_moves(study):
    table = study.table.query("kind == 'crop'").reset_index(drop=True)
    with pytest.raises(ValueError, match="label of a moment"):
        AugmentedDataset(table, study.shards, [], lag_seconds=0.1, sfreq=100, seed=0)
