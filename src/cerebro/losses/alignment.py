"""What contrastive training trades against each other: alignment of positives, uniformity of the rest.

Wang & Isola (2020), Understanding contrastive representation learning through alignment and uniformity on
the hypersphere, ICML.
"""

import torch
from torch import Tensor


def alignment(embeddings: Tensor, positive: Tensor) -> Tensor:
    """Mean squared distance of positive pairs: 0 when all are equal, 2 for unrelated ones.

    Parameters
    ----------
    embeddings : Tensor, shape (n, dim)
        Unit vectors.
    positive : Tensor of bool, shape (n, n)

    Returns
    -------
    Tensor, scalar
        NaN where there is no positive pair.
    """
    squared = 2 - 2 * embeddings @ embeddings.T
    return squared[positive].mean()


def uniformity(embeddings: Tensor, scale: float = 2.0) -> Tensor:
    """Logarithm of the mean Gaussian potential over distinct pairs: 0 when all are equal, about -4 at best.

    Parameters
    ----------
    embeddings : Tensor, shape (n, dim)
        Unit vectors, at least two.
    scale : float
        Factor of the squared distance (`t` of the paper, 2 there).
    """
    pairs = torch.pdist(embeddings.float())
    return (-scale * pairs.square()).exp().mean().log()
