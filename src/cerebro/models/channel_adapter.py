"""Adapters map the channels of any montage onto the encoder's own layout, one matrix product per window."""

import torch
from torch import Tensor, nn

from cerebro.models.positions import FourierEmbedding

MAX_DISTANCE = 0.35
"""Chord (unit sphere) within which an electrode stands in for a layout position: about 20 degrees. MNE's
10-20 positions and their published counterparts on the 129-channel net differ by up to 16."""


class ZeroPadChannelAdapter(nn.Module):
    """Each layout position takes the nearest present electrode; positions without one stay zero and absent.

    It has no weights and passes real measurements through, so it also makes the targets of the tokenizer.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's channels on the unit sphere.
    """

    layout: Tensor

    def __init__(self, layout: Tensor) -> None:
        super().__init__()
        self.register_buffer("layout", layout.float())

    def forward(self, signal: Tensor, positions: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Map signals to the layout.

        Parameters
        ----------
        signal : Tensor, shape (batch, n_chans, n_times)
        positions : Tensor, shape (batch, n_chans, 3)
            Unit sphere.
        present : Tensor of bool, shape (batch, n_chans)

        Returns
        -------
        signal : Tensor, shape (batch, n_layout, n_times)
        present : Tensor of bool, shape (batch, n_layout)
        """
        distance = torch.cdist(self.layout.expand(len(signal), -1, -1), positions)
        distance = distance.masked_fill(~present.unsqueeze(1), torch.inf)
        nearest, index = distance.min(dim=-1)
        found = nearest < MAX_DISTANCE
        mapped = signal.gather(1, index.unsqueeze(-1).expand(-1, -1, signal.shape[-1]))
        return mapped * found.unsqueeze(-1), found


class PerceiverChannelAdapter(nn.Module):
    """Learned queries, one per layout position, attend to the electrodes through their 3-D positions.

    The attention depends on positions alone, so a window of any montage is mapped by one
    ``(n_layout, n_chans)`` matrix and time steps stay independent. Every head attends around its query's
    position with a width of its own, and heads are added with signed, learned gains: a local average minus
    its surround is within reach, as in a surface Laplacian. At the start the map is a narrow local average.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's channels on the unit sphere.
    dim : int
        Width of queries and keys of one head.

    References
    ----------
    Jaegle et al. (2021), Perceiver: general perception with iterative attention, ICML; spatial attention
    over sensor positions after Défossez et al. (2023), Nature Machine Intelligence 5.
    """

    layout: Tensor
    WIDTHS = (0.15, 0.3, 0.6, 1.2)
    """Initial widths (chords) of the heads, from one electrode of the 129 net to half a head."""

    def __init__(self, layout: Tensor, dim: int = 16) -> None:
        super().__init__()
        n_heads = len(self.WIDTHS)
        self.register_buffer("layout", layout.float())
        self.keys = FourierEmbedding(3, n_heads * dim, bandwidth=0.5)
        self.queries = nn.Parameter(0.02 * torch.randn(n_heads, len(layout), dim))
        self.log_width = nn.Parameter(torch.tensor(self.WIDTHS).log())
        gains = torch.zeros(n_heads, len(layout))
        gains[0] = 1
        self.gains = nn.Parameter(gains)

    def forward(self, signal: Tensor, positions: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Map signals to the layout: shapes as in :meth:`ZeroPadChannelAdapter.forward`."""
        matrix = self.matrix(positions, present)
        reachable = present.any(dim=1, keepdim=True).expand(-1, len(self.layout))
        return matrix @ signal, reachable

    def matrix(self, positions: Tensor, present: Tensor) -> Tensor:
        """Spatial map of each window, shape (batch, n_layout, n_chans); zero columns at absent channels."""
        batch, n_chans, _ = positions.shape
        keys = self.keys(positions).view(batch, n_chans, len(self.gains), -1).transpose(1, 2)
        similarity = self.queries @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5
        squared = torch.cdist(self.layout.expand(batch, -1, -1), positions).square().unsqueeze(1)
        logits = similarity - squared / (2 * self.log_width.exp().square().view(1, -1, 1, 1))
        # A finite floor keeps the softmax of a window without any channel free of NaN.
        logits = logits.masked_fill(~present[:, None, None, :], torch.finfo(logits.dtype).min)
        attention = logits.softmax(dim=-1) * present[:, None, None, :]
        return (self.gains[None, :, :, None] * attention).sum(dim=1)


ADAPTERS: dict[str, type[ZeroPadChannelAdapter] | type[PerceiverChannelAdapter]] = {
    "perceiver": PerceiverChannelAdapter,
    "zero_pad": ZeroPadChannelAdapter,
}
"""Adapters by their name in the configuration."""
