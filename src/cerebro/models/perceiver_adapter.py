"""Cross-attention from the layout to the electrodes: the learned adapter."""

import torch
from torch import Tensor, nn

from cerebro.models.adapter_base import ChannelAdapter
from cerebro.models.positions import FourierEmbedding


class PerceiverChannelAdapter(ChannelAdapter):
    """Learned queries, one per layout position, attend to the electrodes through their 3-D positions.

    Every head attends around its query's position with a width of its own, and heads are added with signed,
    learned gains. As in the Perceiver, attention is repeated: each round attends to what the rounds before
    it left unexplained, the electrodes' signals minus their own local average. A single softmax can only
    average, which blurs; a few rounds on the residual come close to an interpolation (for kernel smoothers
    this is Tukey's twicing). How much a head counts also depends on how near to electrodes it finds itself,
    so that one set of weights serves 21 electrodes and 128.

    All rounds together are one ``(n_layout, n_chans)`` matrix that depends on positions alone; time steps
    stay independent. Without training it is a local interpolation already.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's channels on the unit sphere.
    dim : int
        Width of queries and keys of one head.

    References
    ----------
    Jaegle et al. (2021), Perceiver: general perception with iterative attention, ICML; spatial attention
    over sensor positions after Défossez et al. (2023), Nature Machine Intelligence 5; repeated smoothing of
    residuals: Tukey (1977), Exploratory data analysis, and Bühlmann & Yu (2003), Boosting with the L2 loss,
    JASA 98.
    """

    WIDTHS = (0.15, 0.25, 0.4, 0.7)
    """Initial widths (chords) of the heads: the spacing of the 129 net is 0.24, that of 10-20 about 0.65."""
    START = 1
    """The head that makes the map before training."""
    ROUNDS = 3
    FARTHEST = -20.0
    """Log of summed attention below which a head is as far from any electrode as can be."""

    def __init__(self, layout: Tensor, dim: int = 16) -> None:
        super().__init__(layout)
        n_heads = len(self.WIDTHS)
        self.keys = FourierEmbedding(3, n_heads * dim, bandwidth=0.5)
        self.queries = nn.Parameter(0.02 * torch.randn(n_heads, len(layout), dim))
        self.log_width = nn.Parameter(torch.tensor(self.WIDTHS).log())
        gains = torch.zeros(self.ROUNDS, n_heads, len(layout))
        gains[:, self.START] = 1
        self.gains = nn.Parameter(gains)
        shift = nn.Linear(32, self.ROUNDS * n_heads)
        nn.init.normal_(shift.weight, std=1e-3)
        nn.init.zeros_(shift.bias)
        self.gains_by_density = nn.Sequential(nn.Linear(n_heads, 32), nn.GELU(), shift)
        average = torch.zeros(n_heads)
        average[self.START] = 1
        self.average = nn.Parameter(average)

    def matrix(self, positions: Tensor, present: Tensor) -> Tensor:
        """Spatial map of each window: shapes as in :meth:`ChannelAdapter.matrix`."""
        batch, n_chans, _ = positions.shape
        absent = ~present[:, None, None, :]
        keys = self.keys(positions).view(batch, n_chans, len(self.WIDTHS), -1).transpose(1, 2)
        similarity = self.queries @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5
        logits = self._closeness(self.layout.expand(batch, -1, -1), positions) + similarity
        # A finite floor keeps the softmax of a window without any channel free of NaN.
        logits = logits.masked_fill(absent, torch.finfo(logits.dtype).min)
        attention = logits.softmax(dim=-1).masked_fill(absent, 0)
        gains = self._gains(logits.logsumexp(dim=-1))

        among = self._closeness(positions, positions).masked_fill(absent, torch.finfo(logits.dtype).min)
        average = torch.einsum("h,bhcd->bcd", self.average, among.softmax(dim=-1))
        unexplained = (
            torch.eye(n_chans, device=average.device, dtype=average.dtype) - average
        ) * present.unsqueeze(1)

        # Horner's scheme for A0 + A1 R + A2 R², where R leaves what the local average does not explain.
        rounds = torch.einsum("rbhl,bhlc->rblc", gains, attention)
        matrix = rounds[-1]
        for attended in reversed(rounds[:-1].unbind()):
            matrix = attended + matrix @ unexplained
        return matrix

    def _closeness(self, points: Tensor, electrodes: Tensor) -> Tensor:
        """Logits of each head, (batch, n_heads, n_points, n_chans), that fall with squared distance."""
        squared = 2 - 2 * points @ electrodes.transpose(1, 2)
        return -squared.unsqueeze(1) / (2 * self.log_width.exp().square().view(1, -1, 1, 1))

    def _gains(self, density: Tensor) -> Tensor:
        """Gains (n_rounds, batch, n_heads, n_layout) by how near each head is to electrodes."""
        seen = density.clamp(min=self.FARTHEST).transpose(1, 2) / abs(self.FARTHEST)
        shift = self.gains_by_density(seen).unflatten(-1, (self.ROUNDS, -1))
        return self.gains.unsqueeze(1) + shift.permute(2, 0, 3, 1)
