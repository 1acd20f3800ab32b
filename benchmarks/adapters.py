"""Cost of bringing the 128 electrodes of a net to the 21 of the 10-20 system."""

from collections.abc import Callable, Sequence
from pathlib import Path

import mne
import numpy as np
import torch
from braindecode.modules import ChannelInterpolationLayer
from torch import Tensor

from benchmarks.measure import Case, Tables
from cerebro.models.channel_adapter import (
    ChannelAdapter,
    InterpolationChannelAdapter,
    PerceiverChannelAdapter,
)
from cerebro.recordings.montages import LAYOUTS, positions

SOURCE, TARGET = LAYOUTS["hbn_128"], LAYOUTS["ten_twenty"]


def tables(folder: Path, *, small: bool) -> Tables:
    """One table for a batch of one montage, one for windows that each miss other channels."""
    batch = 2 if small else 64
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(batch, len(SOURCE), 200, generator=generator)
    places = torch.from_numpy(positions(SOURCE)).expand(batch, -1, -1).contiguous()
    everywhere = torch.ones(batch, len(SOURCE), dtype=torch.bool)
    lost = torch.rand(batch, len(SOURCE), generator=generator).topk(2).indices
    present = everywhere.scatter(1, lost, False)
    left = [np.flatnonzero(channels) for channels in present]
    info, layer = _info(SOURCE), _layer(_info(SOURCE))
    matrices = layer.matrix.expand(batch, -1, -1).contiguous()

    layout = torch.from_numpy(positions(TARGET))
    perceiver, splines = PerceiverChannelAdapter(layout), InterpolationChannelAdapter(layout)

    def ours(adapter: ChannelAdapter, present: Tensor) -> Callable[[], object]:
        seen = signal * present.unsqueeze(-1)
        return torch.no_grad()(lambda: adapter(seen, places, present))

    def each(mapped: Callable[[Tensor, mne.Info], object]) -> Callable[[], object]:
        return lambda: [
            mapped(signal[window : window + 1, picks], mne.pick_info(info, picks))
            for window, picks in enumerate(left)
        ]

    limit = Case("limit", "the product of matrices and signals alone", lambda: matrices @ signal)
    return {
        f"Bringing {batch} windows of one montage from 128 channels to 21": [
            Case("ours", "perceiver", ours(perceiver, everywhere)),
            Case("ours", "spherical splines", ours(splines, everywhere)),
            Case("rival", "braindecode's layer, made beforehand for this montage", lambda: layer(signal)),
            Case("rival", "MNE's `interpolate_to`, all windows at once", lambda: _by_mne(signal, info)),
            limit,
        ],
        f"Bringing {batch} windows that each miss two channels of their own": [
            Case("ours", "perceiver", ours(perceiver, present)),
            Case("ours", "spherical splines", ours(splines, present)),
            Case("rival", "braindecode's layer, made for each window", each(lambda x, own: _layer(own)(x))),
            Case("rival", "MNE's `interpolate_to` on each window", each(_by_mne)),
            limit,
        ],
    }


def _info(names: Sequence[str]) -> mne.Info:
    return mne.create_info(list(names), 100.0, "eeg").set_montage(_montage(names))


def _montage(names: Sequence[str]) -> mne.channels.DigMontage:
    metres = dict(zip(names, 0.095 * positions(names).astype(float), strict=True))
    return mne.channels.make_dig_montage(metres, coord_frame="head")


def _layer(source: mne.Info) -> ChannelInterpolationLayer:
    return ChannelInterpolationLayer(source["chs"], _info(TARGET)["chs"])


def _by_mne(signal: Tensor, info: mne.Info) -> np.ndarray:
    epochs = mne.EpochsArray(signal.double().numpy(), info)
    mapped = epochs.interpolate_to(_montage(TARGET), origin=(0.0, 0.0, 0.0), method="spline", reg=1e-5)
    return mapped.get_data()
