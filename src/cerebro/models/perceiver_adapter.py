"""Cross-attention from the layout to the electrodes: the learned adapter."""

import torch
from torch import Tensor, nn

from cerebro.models.adapter_base import ChannelAdapter
from cerebro.models.positions import FourierEmbedding


class PerceiverChannelAdapter(ChannelAdapter):
    """Learned queries, one per layout position, attend to the electrodes of their cell by 3-D positions.

    Attention prefers what is near its position, with a width that is learned for each, and keys tell the
    directions apart. Weights of a cell sum to one: a single electrode passes unchanged, several are averaged.
    Without training this is a local average already.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's channels on the unit sphere.
    dim : int
        Width of queries and keys.

    References
    ----------
    Jaegle et al. (2021), Perceiver: general perception with iterative attention, ICML; spatial attention
    over sensor positions after Défossez et al. (2023), Nature Machine Intelligence 5.
    """

    WIDTH = 0.25
    """Initial width (chord); the spacing of the 129 net is 0.24, that of the 10-20 system about 0.65."""

    def __init__(self, layout: Tensor, dim: int = 16) -> None:
        super().__init__(layout)
        self.keys = FourierEmbedding(3, dim, bandwidth=0.5)
        self.queries = nn.Parameter(0.02 * torch.randn(len(layout), dim))
        self.log_width = nn.Parameter(torch.full((len(layout), 1), self.WIDTH).log())

    def weigh(self, positions: Tensor, members: Tensor) -> Tensor:
        """Attention within each cell; shapes as in :meth:`ChannelAdapter.weigh`."""
        squared = 2 - 2 * self.layout @ positions.transpose(1, 2)
        keys = self.keys(positions)
        similarity = self.queries @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
        logits = similarity - squared / (2 * (2 * self.log_width).exp())
        # A finite floor keeps the softmax of an empty cell free of NaN.
        return logits.masked_fill(~members, torch.finfo(logits.dtype).min).softmax(dim=-1)
