"""What was really measured at the places of the encoder's tokens: the targets of masked modelling."""

import torch
from torch import Tensor, nn

from cerebro.models.channel_adapter import ZeroPadChannelAdapter
from cerebro.models.front_end import FrontEnd


class MeasuredPatches(nn.Module):
    """Patches of the electrode nearest to each layout position; it has no weights.

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
    def forward(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cut windows (batch, n_chans, n_times) in µV with electrodes at (batch, n_chans, 3).

        Returns
        -------
        patches : Tensor, shape (batch, n_tokens, patch_samples)
            In units of the front end, in the order of the encoder's tokens.
        present : Tensor of bool, shape (batch, n_tokens)
            Where there was an electrode near enough.
        """
        referenced, present = self.front_end(signal, positions)
        measured, found = self.nearest(referenced, positions, present)
        n_patches = signal.shape[-1] // self.patch_samples
        used = measured[..., : n_patches * self.patch_samples]
        return used.unflatten(-1, (n_patches, -1)).flatten(1, 2), found.repeat_interleave(n_patches, dim=1)
