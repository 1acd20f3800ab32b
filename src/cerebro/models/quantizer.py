"""Vector quantisation with a codebook that learns by moving averages and revives its dead codes."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

DEAD_BELOW = 0.1
"""A code used less than this share of an even spread, on average, is dead and is moved onto a vector of the
batch that no code has, as in Jukebox (Dhariwal et al. 2020)."""
SAME_PLACE = 1e-5
"""Squared distance of unit vectors below which they are one place: rounding makes about 1e-6 of none."""
KMEANS_ITERATIONS = 10
"""Rounds of k-means at the start; the moving averages do the rest."""


class VectorQuantizer(nn.Module):
    """Nearest code on the unit sphere, codes updated by exponential moving averages.

    Parameters
    ----------
    n_codes, dim : int
        Size of the codebook and width of a code.
    decay : float
        Decay of the moving averages.

    References
    ----------
    van den Oord et al. (2017), Neural discrete representation learning, NeurIPS; unit-norm codes after
    Yu et al. (2022), Vector-quantized image modeling with improved VQGAN, as LaBraM uses them.
    """

    codes: Tensor
    usage: Tensor

    def __init__(self, n_codes: int, dim: int, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", F.normalize(torch.randn(n_codes, dim), dim=-1))
        # Average share of each code's assignments in units of an even spread.
        self.register_buffer("usage", torch.ones(n_codes))

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise vectors.

        Parameters
        ----------
        vectors : Tensor, shape (n, dim)

        Returns
        -------
        quantised : Tensor, shape (n, dim)
            Codes with the gradient passed straight through to ``vectors``.
        index : Tensor of int64, shape (n,)
        commitment : Tensor, scalar
            Mean squared distance of the normalised vectors to their codes.
        """
        vectors = F.normalize(vectors.float(), dim=-1)
        index = self.nearest(vectors)
        if self.training:
            self._update(vectors.detach(), index)
        code = self.codes[index]
        commitment = (vectors - code).square().sum() / max(1, len(vectors))
        return vectors + (code - vectors).detach(), index, commitment

    def nearest(self, vectors: Tensor) -> Tensor:
        """Index of the most similar code, shape (n,), for unit vectors of shape (n, dim)."""
        with torch.autocast(vectors.device.type, enabled=False):  # half precision confuses near codes
            return (vectors @ self.codes.T).argmax(dim=-1)

    @torch.no_grad()
    def start(self, vectors: Tensor) -> None:
        """Begin with the means of k-means clusters of vectors (n, dim), far from each other at first.

        Give vectors of many batches: the codes of one batch are those of its few subjects. Under DDP every
        rank's vectors count.
        """
        vectors = F.normalize(vectors.float(), dim=-1)
        found = _far_apart(vectors, self.codes[:0], len(self.codes))
        self.codes[: len(found)] = found
        for _ in range(KMEANS_ITERATIONS):
            counts, means = self._clusters(vectors, self.nearest(vectors))
            self.codes.copy_(torch.where((counts > 0).unsqueeze(-1), means, self.codes))
            self.usage.copy_(counts * len(counts) / counts.sum())

    @torch.no_grad()
    def _update(self, vectors: Tensor, index: Tensor) -> None:
        counts, means = self._clusters(vectors, index)
        if counts.sum() == 0:
            return
        self.usage.mul_(self.decay).add_(counts * len(counts) / counts.sum(), alpha=1 - self.decay)
        moved = F.normalize(self.decay * self.codes + (1 - self.decay) * means, dim=-1)
        self.codes.copy_(torch.where((counts > 0).unsqueeze(-1), moved, self.codes))
        dead = self.usage < DEAD_BELOW
        if dead.any():
            revived = _far_apart(vectors, self.codes[~dead], int(dead.sum()))
            chosen = dead.nonzero().squeeze(-1)[: len(revived)]
            self.codes[chosen], self.usage[chosen] = revived, 1.0

    def _clusters(self, vectors: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """How many vectors of all ranks each code has, and their direction."""
        counts = torch.bincount(index, minlength=len(self.codes)).to(vectors.dtype)
        sums = torch.zeros_like(self.codes).index_add_(0, index, vectors)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(counts)
            dist.all_reduce(sums)
        return counts, F.normalize(sums, dim=-1)


def _far_apart(vectors: Tensor, codes: Tensor, n: int) -> Tensor:
    """Up to ``n`` of the unit vectors, all different; the farther from codes and those drawn, the likelier.

    The seeding of k-means++ (Arthur & Vassilvitskii 2007). A place that is taken is not drawn again; where
    vectors have fewer places than asked for, fewer are returned. The same on every rank: the first one's.
    """
    squared = 2 - 2 * (vectors @ codes.T).amax(dim=1) if len(codes) else vectors.new_full((len(vectors),), 4)
    drawn = vectors.new_zeros(n, vectors.shape[1])
    count = 0
    while count < n:
        squared = squared.where(squared > SAME_PLACE, 0)
        if not squared.any():
            break
        drawn[count] = vectors[torch.multinomial(squared, 1)]
        squared = torch.minimum(squared, 2 - 2 * vectors @ drawn[count])
        count += 1
    if dist.is_available() and dist.is_initialized():
        size = torch.tensor(count, device=vectors.device)
        dist.broadcast(size, src=0)
        dist.broadcast(drawn, src=0)
        count = int(size)
    return drawn[:count]


def perplexity(counts: Tensor) -> Tensor:
    """Exponential of the entropy (nats) of code counts, shape (n_codes,): the effective number of codes."""
    share = counts / counts.sum().clamp(min=1)
    return torch.special.entr(share).sum().exp()
