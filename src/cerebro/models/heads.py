"""Small networks on top of the encoder's tokens."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DemographicHead(nn.Module):
    """Two-layer network from pooled features to one value: a standardised target, or a logit.

    Parameters
    ----------
    dim : int
        Width of the features.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (batch, dim) to values (batch,)."""
        return self.layers(features).squeeze(-1)


class MultiAuxiliaryHead(nn.Module):
    """One :class:`DemographicHead` per auxiliary task, by name.

    Parameters
    ----------
    dim : int
        Width of the features.
    tasks : sequence of str
    """

    def __init__(self, dim: int, tasks: Sequence[str]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({task: DemographicHead(dim) for task in tasks})

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Predict every task, each of shape (batch,), from features (batch, dim)."""
        return {task: head(features) for task, head in self.heads.items()}


class ContrastiveProjectionHead(nn.Module):
    """Two-layer projection onto the unit sphere where contrastive similarity is measured.

    Parameters
    ----------
    dim, projection_dim : int
        Width of the features and of the projection.

    References
    ----------
    Chen et al. (2020), A simple framework for contrastive learning of visual representations, ICML.
    """

    def __init__(self, dim: int, projection_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, projection_dim))

    def forward(self, features: Tensor) -> Tensor:
        """Project features (batch, dim) to unit vectors (batch, projection_dim)."""
        return F.normalize(self.layers(features), dim=-1)


class RegressionHead(nn.Module):
    """Attention-pool the tokens with one learned query and regress a standardised target.

    The last layer starts at zero: an untrained head predicts the training mean, and so does the checkpoint
    that is kept when training never improves on it.

    Parameters
    ----------
    dim : int
        Width of a token.
    dropout : float
        Dropout before the regression.
    """

    def __init__(self, dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.Linear(dim, 1)
        self.dropout = nn.Dropout(dropout)
        self.regression = nn.Linear(dim, 1)
        nn.init.zeros_(self.regression.weight)
        nn.init.zeros_(self.regression.bias)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Regress tokens (batch, n_tokens, dim), absent ones left out, to (batch, 1)."""
        tokens = self.norm(tokens)
        logits = self.attention(tokens).masked_fill(~present.unsqueeze(-1), torch.finfo(tokens.dtype).min)
        pooled = (logits.softmax(dim=1) * tokens).sum(dim=1)
        return self.regression(self.dropout(pooled))
