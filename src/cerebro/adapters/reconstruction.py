"""Hide channels of real windows and reconstruct them: what an adapter is trained and measured by."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cerebro.data.samplers import ShuffledSampler
from cerebro.data.streams import torch_stream
from cerebro.data.windows import WindowDataset
from cerebro.models.adapter_base import ChannelAdapter
from cerebro.models.front_end import SCALE_UV, FrontEnd
from cerebro.models.zero_pad_adapter import ZeroPadChannelAdapter

BATCH_SIZE = 64
"""Windows evaluated at a time; no effect on the errors."""
HIDDEN_SHARES = (0.02, 0.85)
"""While training, the share of hidden channels is drawn between these for each window."""
WARMUP_STEPS = 20
CLIP_NORM = 1.0

Masks = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""From positions (batch, n_chans, 3), layout (n_layout, 3) and a generator to hidden channels
(batch, n_chans)."""


@dataclass(frozen=True)
class Hidden:
    """Windows some of whose channels are hidden, and what those measured."""

    visible: Tensor
    """(batch, n_chans, n_times), referenced and scaled as a model sees them; hidden channels are zero."""
    positions: Tensor
    """(batch, n_chans, 3)."""
    present: Tensor
    """(batch, n_chans), bool."""
    truth: Tensor
    """(batch, n_layout, n_times), in the reference and the scale of ``visible``."""
    asked: Tensor
    """(batch, n_layout), bool: positions whose own electrode is hidden and was good."""
    wanted: Tensor
    """(batch, n_layout), bool: those of them whose cell holds another electrode, which is visible."""


def hide(signal: Tensor, positions: Tensor, hidden: Tensor, *, layout: Tensor, front_end: FrontEnd) -> Hidden:
    """Hide channels before the front end, so that no hidden value reaches the reference.

    Parameters
    ----------
    signal : Tensor, shape (batch, n_chans, n_times)
        µV.
    positions : Tensor, shape (batch, n_chans, 3)
    hidden : Tensor of bool, shape (batch, n_chans)
    layout : Tensor, shape (n_layout, 3)
        Where the truth is asked for: what the nearest electrode of each position's cell measured, see
        :class:`ZeroPadChannelAdapter`.
    front_end : FrontEnd
    """
    usable = front_end(signal, positions)[1]
    visible, present = front_end(signal * (usable & ~hidden).unsqueeze(-1), positions)
    left = present.unsqueeze(-1)
    subtracted = ((signal - SCALE_UV * visible) * left).sum(1, keepdim=True)
    reference = subtracted / left.sum(1, keepdim=True).clamp(min=1)
    place = ZeroPadChannelAdapter(layout)
    truth, found = place((signal - reference) / SCALE_UV, positions, usable)
    own, _ = place(hidden.unsqueeze(-1).float(), positions, usable)
    asked, told = found & (own.squeeze(-1) > 0), place.matrix(positions, present)[1]
    return Hidden(visible, positions, present, truth, asked, asked & told)


def unexplained(predicted: Tensor, target: Hidden) -> Tensor:
    """Variance over time of prediction minus truth, relative to that of the truth, shape (batch,).

    Variances are summed over the wanted positions of a window before they are divided. 0 is perfect, 1 what
    predicting nothing scores. NaN where a window has no wanted position.
    """
    missed = ((predicted - target.truth).var(dim=-1, correction=0) * target.wanted).sum(dim=1)
    total = (target.truth.var(dim=-1, correction=0) * target.wanted).sum(dim=1)
    return torch.where(total > 0, missed / torch.where(total > 0, total, 1), torch.nan)


def random_channels(share: float) -> Masks:
    """Hide this share of all channels (at least one), other ones in every window."""

    def masks(positions: Tensor, layout: Tensor, generator: torch.Generator) -> Tensor:
        batch, n_chans, _ = positions.shape
        rank = torch.rand(batch, n_chans, generator=generator).argsort(dim=1).argsort(dim=1)
        return (rank < max(1, round(share * n_chans))).to(positions.device)

    return masks


def nearest_channels(positions: Tensor, layout: Tensor, generator: torch.Generator) -> Tensor:
    """Hide the electrode nearest to each layout position."""
    everywhere = torch.ones_like(positions[..., 0], dtype=torch.bool)
    return ZeroPadChannelAdapter(layout).matrix(positions, everywhere)[0].any(dim=1)


SCENARIOS: Mapping[str, Masks] = {
    "tenth": random_channels(0.1),
    "half": random_channels(0.5),
    "nearest": nearest_channels,
}
"""What is hidden."""


def reconstruction_errors(
    adapter: ChannelAdapter, windows: WindowDataset, masks: Masks, *, front_end: FrontEnd, seed: int
) -> tuple[NDArray[np.float64], float]:
    """:func:`unexplained` of every window, shape (n,), with masks that depend on the seed alone.

    The second value is the share of the hidden positions that visible electrodes can tell: the others count
    for nobody. NaN where none was hidden.
    """
    generator = torch.Generator().manual_seed(seed)
    device = adapter.layout.device
    errors, counts = [], np.zeros(2)
    with torch.inference_mode():
        for first in range(0, len(windows), BATCH_SIZE):
            batch = windows[range(first, min(first + BATCH_SIZE, len(windows)))]
            signal, positions = batch["signal"].to(device), batch["positions"].to(device)
            hidden = masks(positions, adapter.layout, generator)
            target = hide(signal, positions, hidden, layout=adapter.layout, front_end=front_end)
            mapped, _ = adapter(target.visible, target.positions, target.present)
            errors.append(unexplained(mapped, target).double().cpu().numpy())
            counts += int(target.wanted.sum()), int(target.asked.sum())
    return np.concatenate(errors), counts[0] / counts[1] if counts[1] else math.nan


def train_reconstruction(
    adapter: ChannelAdapter,
    windows: WindowDataset,
    *,
    front_end: FrontEnd,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Train an adapter to reconstruct hidden channels, in place; one without weights is left as it is.

    AdamW without decay, linear warm-up and cosine decay, on the mean of :func:`unexplained`.
    """
    weights = list(adapter.parameters())
    if not weights:
        return
    optimizer = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1, (step + 1) / WARMUP_STEPS) * 0.5 * (1 + math.cos(math.pi * step / steps)),
    )
    generator = torch_stream(seed, "channels hidden in training")
    device = adapter.layout.device
    low, high = HIDDEN_SHARES
    for rows in ShuffledSampler(len(windows), batch_size=batch_size, steps=steps, seed=seed):
        batch = windows[rows]
        signal, positions = batch["signal"].to(device), batch["positions"].to(device)
        shares = low + (high - low) * torch.rand(len(rows), 1, generator=generator)
        hidden = torch.rand(len(rows), positions.shape[1], generator=generator) < shares
        target = hide(signal, positions, hidden.to(device), layout=adapter.layout, front_end=front_end)
        mapped, _ = adapter(target.visible, target.positions, target.present)
        loss = unexplained(mapped, target).nanmean()
        if not torch.isfinite(loss):  # no window of the batch has anything to reconstruct
            continue
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, CLIP_NORM)
        optimizer.step()
        scheduler.step()
