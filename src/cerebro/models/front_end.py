"""What happens to every window before a model sees it: missing channels found, common reference, scale.

It lives in the model so that training and the challenge's scorer, which hands over bare Cz-referenced
windows, see the same numbers by construction.
"""

import torch
from torch import Tensor, nn

FLAT_UV = 0.2
"""Standard deviation (µV) below which a channel is absent: two quantisation steps of a shard."""
OUTLIER_RATIO = 6.0
"""A channel this many times the median channel's standard deviation is disconnected or popping. Blinks on
frontal electrodes reach three to five times the median (own choice; compare the deviation criterion of
PREP, Bigdely-Shamlo et al. 2015, which is a robust z of 5)."""
SCALE_UV = 20.0
"""Typical standard deviation (µV) of average-referenced EEG: makes the encoder's input about 1."""


class FrontEnd(nn.Module):
    """Mark present channels, subtract their average and scale to about 1."""

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Apply to a batch of windows.

        Parameters
        ----------
        signal : Tensor, shape (batch, n_chans, n_times)
            µV, in any reference; zeros where a channel is absent.

        Returns
        -------
        signal : Tensor, shape (batch, n_chans, n_times)
            Average-referenced over present channels, in units of ``SCALE_UV``; zeros in absent channels.
        present : Tensor of bool, shape (batch, n_chans)
            False where a channel is flat (a recording's own reference channel included, whose signal the
            others carry) or an outlier.
        """
        signal = signal.float()
        deviation = signal.std(dim=-1)
        alive = deviation > FLAT_UV
        typical = deviation.masked_fill(~alive, torch.nan).nanmedian(dim=-1, keepdim=True).values
        present = alive & (deviation < OUTLIER_RATIO * typical)
        weight = present.to(signal.dtype).unsqueeze(-1)
        average = (signal * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True).clamp(min=1)
        return (signal - average) * weight / SCALE_UV, present
