"""Cost of drawing training batches, windows of 2 s at 100 Hz in random order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import pandas as pd
import torch
from braindecode.datasets import BaseConcatDataset, RawDataset
from braindecode.preprocessing import create_fixed_length_windows
from torch.utils.data import DataLoader

from benchmarks.measure import Case, Tables
from benchmarks.recordings import simulated_inventory, write_shard
from cerebro.data.samplers import ShuffledSampler
from cerebro.data.windows import WindowDataset
from cerebro.shards.store import LEAST_BIT_UV, open_shard, read_table

LENGTH = 200


def tables(folder: Path, *, small: bool) -> Tables:
    """One table: a pass over all windows of two subjects."""
    inventory = simulated_inventory(folder, small=small)
    write_shard(inventory[inventory["dataset"] == "hbn"], folder)
    signals, shard = open_shard(folder / "shard.npy"), read_table(folder / "shard.parquet")
    spans = list(zip(shard.recordings["offset"], shard.recordings["length"], strict=True))
    starts = [first + place for first, n in spans for place in range(0, n - LENGTH + 1, LENGTH)]
    size = 8 if small else 64
    steps = len(starts) // size

    windows = WindowDataset(pd.DataFrame({"shard": "shard", "start": starts, "length": LENGTH}), folder)
    sampler = ShuffledSampler(len(windows), batch_size=size, steps=steps, seed=0)
    loader = DataLoader(windows, sampler=sampler, batch_size=None)

    files = [folder / f"{number}_eeg.fif" for number in range(len(spans))]
    for file, (first, n) in zip(files, spans, strict=True):
        info = mne.create_info(list(shard.channels), shard.sfreq, "eeg")
        volts = signals[first : first + n].T * (LEAST_BIT_UV * 1e-6)
        mne.io.RawArray(volts, info).save(file)  # single precision

    def braindecode(*, in_memory: bool = False, epochs: bool = False) -> Callable[[], None]:
        recordings = [RawDataset(mne.io.read_raw_fif(file, preload=in_memory)) for file in files]
        dataset = create_fixed_length_windows(
            BaseConcatDataset(recordings),
            window_size_samples=LENGTH,
            window_stride_samples=LENGTH,
            drop_last_window=True,
            use_mne_epochs=epochs,
        )
        return _draining(DataLoader(dataset, batch_size=size, shuffle=True, drop_last=True))

    batch = torch.zeros(size, len(shard.channels), LENGTH)
    return {
        f"Drawing {steps} batches of {size} windows, {len(shard.channels)} channels, from the page cache": [
            Case("ours", "`WindowDataset` on a shard", _draining(loader)),
            Case("rival", "braindecode on `.fif`, `preload=False`", braindecode()),
            Case("rival", "the same by `mne.Epochs`", braindecode(epochs=True)),
            Case("rival", "braindecode, recordings in memory", braindecode(in_memory=True)),
            Case("limit", "a copy of the batches, float32", lambda: [batch.clone() for _ in range(steps)]),
            Case("limit", "the shard read in order, int16", lambda: signals[: steps * size * LENGTH].copy()),
        ]
    }


def _draining(loader: DataLoader[Any]) -> Callable[[], None]:
    def run() -> None:
        for _ in loader:
            pass

    return run
