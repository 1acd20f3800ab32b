"""What was really measured at the places of the encoder's tokens: the targets of masked modelling."""

import torch
from torch import Tensor, nn

from cerebro.models.channel_adapter import ZeroPadChannelAdapter
from cerebro.models.front_end import FrontEnd


class MeasuredPatches(nn.Module):
    """Patches of the electrode nearest to each layout position, of its own cell; it has no weights.

    Taken before any learned adapter: a target that the adapter could change would reward a blur.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's channels on the unit sphere.
    patch_samples : int
    reference : str
        See :class:`~cerebro.models.front_end.FrontEnd`.
    """

    def __init__(self, layout: Tensor, patch_samples: int, reference: str = "average") -> None:
        super().__init__()
        self.patch_samples = patch_samples
        self.front_end = FrontEnd(reference)
        self.nearest = ZeroPadChannelAdapter(layout)

    @torch.no_grad()
    def by_channel(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cut windows (batch, n_chans, n_times) in µV with electrodes at (batch, n_chans, 3).

        Returns
        -------
        patches : Tensor, shape (batch, n_layout, n_patches, patch_samples)
            In units of the front end.
        present : Tensor of bool, shape (batch, n_layout)
            Where there was an electrode in the position's cell.
        """
        referenced, present = self.front_end(signal, positions)
        measured, found = self.nearest(referenced, positions, present)
        n_patches = signal.shape[-1] // self.patch_samples
        return measured[..., : n_patches * self.patch_samples].unflatten(-1, (n_patches, -1)), found

    def forward(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (batch, n_tokens, patch_samples) in the order of the encoder's tokens, and which exist."""
        patches, found = self.by_channel(signal, positions)
        return patches.flatten(1, 2), found.repeat_interleave(patches.shape[2], dim=1)
