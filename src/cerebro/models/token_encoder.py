"""What every encoder is to those that use one: windows of any montage in, tokens or pooled features out."""

from typing import Any

from torch import Tensor, nn

from cerebro.models.adapter_base import ChannelAdapter
from cerebro.models.front_end import FrontEnd


class TokenEncoder(nn.Module):
    """Base of the encoders.

    Attributes
    ----------
    architecture : dict
        Plain values from which :func:`cerebro.models.encoder.build_encoder` builds the same encoder.
    front_end, adapter
        What every window passes first.
    dim : int
        Width of a token.
    heads : int
        Attention heads for what attends to tokens; divides ``dim``.
    n_channels : int
        Channels that tokens stand for; 1 where a token stands for all.
    patch_samples : int
        Samples between tokens of one channel.
    sfreq : float
        Sampling rate in Hz that windows must have.
    """

    architecture: dict[str, Any]
    front_end: FrontEnd
    adapter: ChannelAdapter
    dim: int
    heads: int
    n_channels: int
    patch_samples: int
    sfreq: float

    def n_patches(self, n_times: int) -> int:
        """Tokens of one channel in a window of ``n_times`` samples; ``ValueError`` where it does not fit."""
        raise NotImplementedError

    def course_patches(self, n_times: int) -> int | None:
        """Patches of a channel's time course in a window; None where a single one leaves no course."""
        n_patches = self.n_patches(n_times)
        return n_patches if n_patches > 1 else None

    def encode(
        self, signal: Tensor, positions: Tensor, masked: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens, as :meth:`forward`, and which of them stand for a present channel, (batch, n_tokens)."""
        raise NotImplementedError

    def forward(self, signal: Tensor, positions: Tensor, masked: Tensor | None = None) -> Tensor:
        """Encode windows.

        Parameters
        ----------
        signal : Tensor, shape (batch, n_chans, n_times)
            µV; absent channels are zero. Samples beyond the last whole patch are ignored.
        positions : Tensor, shape (batch, n_chans, 3)
            Electrodes on the unit sphere.
        masked : Tensor of bool, shape (n_views * batch, n_tokens), optional
            Tokens that the encoder must not see, in one or more views of each window (all windows of the
            first view, then all of the second ...).

        Returns
        -------
        Tensor, shape (batch, n_tokens, dim), or (n_views * batch, n_tokens, dim) of masked views
            ``n_tokens = n_channels * n_patches``, channel by channel; zeros where a token was masked.
        """
        return self.encode(signal, positions, masked)[0]

    def features(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Mean of the present tokens of each window, shape (batch, dim)."""
        tokens, present = self.encode(signal, positions)
        weight = present.to(tokens.dtype).unsqueeze(-1)
        return (tokens * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
