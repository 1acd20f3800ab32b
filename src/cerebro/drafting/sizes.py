"""Sizes of encoder and trainings that fit the hours of EEG found, and how long they take on this machine."""

import time
from dataclasses import dataclass

import torch

from cerebro.config import EncoderSettings
from cerebro.data.card import random_encoder
from cerebro.recordings.montages import layout_positions
from cerebro.shards.store import SFREQ

WINDOW_SECONDS = 2.0
"""Length of the windows of a study that says no other."""
PASSES = 20
"""Times that masked modelling sees each window, as far as the bounds of its steps allow."""
STEPS = (100, 100_000)
"""Fewest and most steps of masked modelling; the other phases take a third."""
DECODING = 1.5
"""A step of masked modelling takes this many times as long as the encoder's two passes
(`python -m benchmarks step`)."""
TRIED = 3
"""Steps that are timed, after one that is not."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a study's encoder and trainings."""

    encoder: EncoderSettings
    """Architecture."""
    batch_size: int
    """Windows in a batch."""
    steps: int
    """Steps of masked modelling."""
    steps_per_epoch: int
    """Steps in an epoch."""

    def epochs(self, share: float = 1.0) -> int:
        """Epochs of a phase that takes this share of the steps of masked modelling."""
        return max(4, round(share * self.steps / self.steps_per_epoch))


def sizes_for(hours: float) -> Sizes:
    """Choose sizes by the hours of usable EEG.

    Small studies get the encoder that was tried on hundreds of hours or less; the largest is that of
    `config/hbn_tuh.yaml`.
    """
    windows = hours * 3600 / WINDOW_SECONDS
    if hours < 50:
        encoder, batch = EncoderSettings(dim=64, depth=2, heads=4), 32
    elif hours < 1000:
        encoder, batch = EncoderSettings(dim=128, depth=4, heads=4), 64
    else:
        encoder, batch = EncoderSettings(dim=256, depth=8, heads=8, layout="hbn_128"), 256
    steps = int(min(max(PASSES * windows / batch, STEPS[0]), STEPS[1]))
    return Sizes(encoder, batch, steps, steps_per_epoch=min(max(steps // 20, 5), 1000))


def seconds_per_step(sizes: Sizes) -> float:
    """Time some steps of the encoder on this machine, in seconds for one of masked modelling."""
    positions = torch.from_numpy(layout_positions(sizes.encoder.layout)).float()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = random_encoder(sizes.encoder, seed=0).to(device)
    generator = torch.Generator().manual_seed(0)
    n_times = round(WINDOW_SECONDS * SFREQ)
    signal = 10 * torch.randn(sizes.batch_size, len(positions), n_times, generator=generator)
    n_tokens = len(positions) * encoder.n_patches(n_times)
    hidden = torch.rand(sizes.batch_size, n_tokens, generator=generator) < 0.5
    inputs = (signal.to(device), positions.expand(sizes.batch_size, -1, -1).to(device))
    masks = torch.cat((hidden, ~hidden)).to(device)
    started = 0.0
    for step in range(TRIED + 1):
        if step == 1:
            started = _now(device)
        encoder.encode(*inputs, masks)[0].square().mean().backward()
    return DECODING * (_now(device) - started) / TRIED


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
