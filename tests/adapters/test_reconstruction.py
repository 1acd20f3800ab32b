from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from cerebro.adapters.reconstruction import (
    SCENARIOS,
    Hidden,
    hide,
    reconstruction_errors,
    train_reconstruction,
    unexplained,
)
from cerebro.data.windows import WindowDataset
from cerebro.models.channel_adapter import (
    InterpolationChannelAdapter,
    PerceiverChannelAdapter,
    ZeroPadChannelAdapter,
)
from cerebro.models.front_end import FrontEnd
from cerebro.recordings.montages import LAYOUTS, layout_positions
from cerebro.shards.store import ShardWriter, quantise, write_table

SEED = 5
NET, TEN_TWENTY = LAYOUTS["hbn_128"], LAYOUTS["ten_twenty"]
NET_POSITIONS = torch.from_numpy(layout_positions("hbn_128"))
LAYOUT = torch.from_numpy(layout_positions("ten_twenty"))
FRONT_END = FrontEnd()


def generator() -> torch.Generator:
    print(f"seed {SEED}")
    return torch.Generator().manual_seed(SEED)


def windows_of(folder: Path, signal: np.ndarray, channels: tuple[str, ...]) -> WindowDataset:
    """Windows of 2 s, side by side, of a signal (n_times, n_chans) in µV at 100 Hz."""
    with ShardWriter(folder / "net-0.npy", n_chans=len(channels)) as writer:
        writer.append(quantise(signal)[0])
    recordings = {"recording": ["r"], "offset": [0], "length": [len(signal)]}
    write_table(folder / "net-0.parquet", pa.table(recordings), channels=channels, sfreq=100.0)
    starts = np.arange(len(signal) // 200) * 200
    return WindowDataset(pd.DataFrame({"shard": "net-0", "start": starts, "length": 200}), folder)


def smooth_windows(folder: Path, n_windows: int = 24) -> WindowDataset:
    """Windows of the 128 net in which few broad sources, and a little noise, reach the electrodes."""
    random = generator()
    sources = torch.nn.functional.normalize(torch.randn(30, 3, generator=random), dim=-1)
    pattern = (5 * (NET_POSITIONS @ sources.T - 1)).exp()
    signal = 30 * torch.randn(n_windows * 200, 30, generator=random) @ pattern.T
    signal += torch.randn(signal.shape, generator=random)
    return windows_of(folder, signal.numpy(), NET)


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = generator()
    signal = 20 * torch.randn(3, 128, 100, generator=random)
    return signal, NET_POSITIONS.expand(3, -1, -1), torch.rand(3, 128, generator=random) < 0.2


def test_what_is_hidden_reaches_nothing_that_is_visible_not_even_through_the_reference():
    signal, positions, hidden = batch()
    target = hide(signal, positions, hidden, layout=NET_POSITIONS, front_end=FRONT_END)
    changed = torch.where(hidden.unsqueeze(-1), 2 * signal + 10, signal)
    again = hide(changed, positions, hidden, layout=NET_POSITIONS, front_end=FRONT_END)
    assert torch.equal(target.visible, again.visible)
    assert torch.equal(target.present, ~hidden)
    assert not torch.equal(target.truth, again.truth)


@pytest.mark.parametrize("reference", ["average", "recorded"])
def test_the_truth_is_the_hidden_signal_in_the_reference_of_the_visible_channels(reference):
    signal, positions, hidden = batch()
    target = hide(signal, positions, hidden, layout=NET_POSITIONS, front_end=FrontEnd(reference))
    assert torch.equal(target.asked, hidden)
    window, seen = signal[1].numpy(), ~hidden[1].numpy()
    subtracted = window[seen].mean(axis=0) if reference == "average" else 0.0
    np.testing.assert_allclose(target.truth[1], (window - subtracted) / 20, atol=1e-5)


def test_a_bad_channel_is_never_asked_for():
    signal, positions, hidden = batch()
    signal[0, 7], hidden[0, 7] = 0, True
    target = hide(signal, positions, hidden, layout=NET_POSITIONS, front_end=FRONT_END)
    assert not target.asked[0, 7]
    assert target.asked[0].sum() == hidden[0].sum() - 1


def test_nothing_scores_one_the_truth_scores_zero_and_half_of_it_a_quarter():
    signal, positions, hidden = batch()
    hidden[2] = False
    target = hide(signal, positions, hidden, layout=LAYOUT, front_end=FRONT_END)
    for share, expected in ((0.0, 1.0), (1.0, 0.0), (0.5, 0.25)):
        found = unexplained(share * target.truth + 3, target)  # a constant offset does not count
        torch.testing.assert_close(found[:2], torch.full((2,), expected))
        assert found[2].isnan()  # nothing was hidden


def test_a_tenth_or_half_of_the_channels_is_hidden_in_every_window():
    positions = NET_POSITIONS.expand(4, -1, -1)
    for name, count in (("tenth", 13), ("half", 64)):
        masks = SCENARIOS[name](positions, LAYOUT, generator())
        assert masks.sum(dim=1).tolist() == [count] * 4
        assert not torch.equal(masks[0], masks[1])


def test_the_electrodes_nearest_to_the_layout_are_hidden():
    hidden = SCENARIOS["nearest"](NET_POSITIONS.expand(2, -1, -1), LAYOUT, generator())
    chosen = {NET[number] for number in hidden[0].nonzero().flatten().tolist()}
    assert len(chosen) == len(TEN_TWENTY)
    assert {"E22", "E9", "E24", "E124", "E36", "E104", "E70", "E83", "E11", "E62"} <= chosen


def test_only_positions_with_another_electrode_in_their_cell_are_scored(tmp_path):
    """Of a net of 128 each has some; of the 10-20 system none, and nothing is scored there."""
    signal, positions, _ = batch()
    for hidden in (SCENARIOS["nearest"](positions, LAYOUT, generator()), torch.ones(3, 128) > 0):
        target = hide(signal, positions, hidden, layout=LAYOUT, front_end=FRONT_END)
        assert target.asked.all()
        assert target.wanted.all() != hidden.all()
    sparse = windows_of(tmp_path, 20 * np.random.default_rng(SEED).standard_normal((400, 21)), TEN_TWENTY)
    errors, told = reconstruction_errors(
        ZeroPadChannelAdapter(LAYOUT), sparse, SCENARIOS["half"], front_end=FRONT_END, seed=SEED
    )
    assert np.isnan(errors).all()
    assert told == 0


def test_training_lowers_the_error_on_windows_that_were_not_trained_on(tmp_path):
    torch.manual_seed(SEED)
    windows = smooth_windows(tmp_path)
    train, held_out = (
        WindowDataset(windows.table.iloc[rows].reset_index(drop=True), tmp_path)
        for rows in (slice(0, 16), slice(16, 24))
    )
    adapter = PerceiverChannelAdapter(LAYOUT)

    def error() -> float:
        return reconstruction_errors(adapter, held_out, SCENARIOS["nearest"], front_end=FRONT_END, seed=0)[
            0
        ].mean()

    before = error()
    train_reconstruction(
        adapter, train, front_end=FRONT_END, steps=40, batch_size=8, learning_rate=3e-2, seed=SEED
    )
    print(f"{before:.3f} before, {error():.3f} after")
    assert error() < 0.9 * before


def test_errors_depend_on_the_seed_alone_and_an_adapter_without_weights_is_not_trained(tmp_path):
    windows, adapter = smooth_windows(tmp_path, 4), InterpolationChannelAdapter(LAYOUT)
    first, again, other = (
        reconstruction_errors(adapter, windows, SCENARIOS["tenth"], front_end=FRONT_END, seed=seed)[0]
        for seed in (0, 0, 1)
    )
    assert first.tolist() == again.tolist() != other.tolist()
    train_reconstruction(
        adapter, windows, front_end=FRONT_END, steps=10**9, batch_size=8, learning_rate=1.0, seed=0
    )


def test_a_window_with_nothing_wanted_has_no_error():
    nothing = torch.zeros(1, 4, dtype=torch.bool)
    zeros = torch.zeros(1, 4, 10)
    assert (
        unexplained(zeros, Hidden(zeros, torch.zeros(1, 4, 3), nothing, zeros, nothing, nothing))
        .isnan()
        .all()
    )
