"""Learned spatial filters at places on the head, from electrodes of any montage."""

import torch
from torch import Tensor, nn

from cerebro.models.positions import FourierEmbedding


class SpatialFilters(nn.Module):
    """Signed sums of electrodes around each place, found through their 3-D positions alone.

    Every head attends around its place with a width of its own; heads are added with signed, learned gains.
    As in the Perceiver, attention is repeated: each round attends to what the local average of the rounds
    before left unexplained, which sharpens (for kernel smoothers this is Tukey's twicing). Unlike a channel
    adapter it reads electrodes wherever they are, so it serves heads that hide nothing. Without training it
    is a local interpolation.

    Parameters
    ----------
    places : Tensor, shape (n_places, 3)
        On the unit sphere.
    dim : int
        Width of queries and keys of one head.

    References
    ----------
    Jaegle et al. (2021), Perceiver: general perception with iterative attention, ICML; spatial attention over
    sensor positions: Défossez et al. (2023), Nature Machine Intelligence 5; repeated smoothing of residuals:
    Tukey (1977), Exploratory data analysis. Filters decide how well mu and beta are read: McFarland et al.
    (1997), Electroencephalography and Clinical Neurophysiology 103.
    """

    WIDTHS = (0.15, 0.25, 0.4, 0.7)
    """Initial widths (chords) of the heads: the spacing of the 129 net is 0.24, that of 10-20 about 0.65."""
    START = 1
    """The head that makes the map before training."""
    ROUNDS = 3

    places: Tensor

    def __init__(self, places: Tensor, dim: int = 16) -> None:
        super().__init__()
        n_heads = len(self.WIDTHS)
        self.register_buffer("places", places.float())
        self.keys = FourierEmbedding(3, n_heads * dim, bandwidth=0.5)
        self.queries = nn.Parameter(0.02 * torch.randn(n_heads, len(places), dim))
        self.log_width = nn.Parameter(torch.tensor(self.WIDTHS).log())
        gains = torch.zeros(self.ROUNDS, n_heads, len(places))
        gains[:, self.START] = 1
        self.gains = nn.Parameter(gains)

    def matrix(self, positions: Tensor, present: Tensor) -> Tensor:
        """Filters of each window.

        Parameters
        ----------
        positions : Tensor, shape (batch, n_chans, 3)
            Unit sphere.
        present : Tensor of bool, shape (batch, n_chans)

        Returns
        -------
        Tensor, shape (batch, n_places, n_chans)
            Zero columns at absent channels.
        """
        batch, n_chans, _ = positions.shape
        absent = ~present[:, None, None, :]
        keys = self.keys(positions).view(batch, n_chans, len(self.WIDTHS), -1).transpose(1, 2)
        similarity = self.queries @ keys.transpose(-1, -2) / keys.shape[-1] ** 0.5
        logits = self._closeness(self.places.expand(batch, -1, -1), positions) + similarity
        # A finite floor keeps the softmax of a window without any channel free of NaN.
        least = torch.finfo(logits.dtype).min
        attention = logits.masked_fill(absent, least).softmax(dim=-1).masked_fill(absent, 0)
        among = self._closeness(positions, positions)[:, self.START]
        average = among.masked_fill(absent[:, 0], least).softmax(dim=-1)
        here = torch.eye(n_chans, device=average.device, dtype=average.dtype)
        unexplained = (here - average) * present.unsqueeze(1)
        # Horner's scheme for A0 + A1 R + A2 R², where R leaves what the local average does not explain.
        rounds = torch.einsum("rhl,bhlc->rblc", self.gains, attention)
        matrix = rounds[-1]
        for attended in reversed(rounds[:-1].unbind()):
            matrix = attended + matrix @ unexplained
        return matrix

    def forward(self, signal: Tensor, positions: Tensor, present: Tensor) -> Tensor:
        """Filter signals (batch, n_chans, n_times) to (batch, n_places, n_times), in float32."""
        with torch.autocast(signal.device.type, enabled=False):  # bfloat16 confuses near electrodes
            return self.matrix(positions.float(), present) @ signal.float()

    def _closeness(self, points: Tensor, electrodes: Tensor) -> Tensor:
        """Logits of each head, (batch, n_heads, n_points, n_chans), that fall with squared distance."""
        squared = 2 - 2 * points @ electrodes.transpose(1, 2)
        return -squared.unsqueeze(1) / (2 * (2 * self.log_width).exp().view(1, -1, 1, 1))
