"""Small networks on top of the encoder's tokens."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AuxiliaryHead(nn.Module):
    """Two-layer network from pooled features to a standardised target, a logit, or the logits of classes.

    Parameters
    ----------
    dim : int
        Width of the features.
    n_outputs : int
    """

    def __init__(self, dim: int, n_outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, n_outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features (batch, dim) to values (batch,), or (batch, n_outputs) of several."""
        return self.layers(features).squeeze(-1)


class MultiAuxiliaryHead(nn.Module):
    """One :class:`AuxiliaryHead` per auxiliary task, by name.

    Parameters
    ----------
    dim : int
        Width of the features.
    outputs : mapping of str to int
        Values that each task needs.
    """

    def __init__(self, dim: int, outputs: Mapping[str, int]) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({task: AuxiliaryHead(dim, count) for task, count in outputs.items()})

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Predict every task, of shape (batch,) or (batch, n_outputs), from features (batch, dim)."""
        return {task: head(features) for task, head in self.heads.items()}


class ContrastiveProjectionHead(nn.Module):
    """Project all tokens of a window onto the unit sphere where contrastive similarity is measured.

    Activity that a movie drives stands in some channels and has a time course; averaging tokens first
    erases both, and InfoNCE then finds no better answer than one embedding for all windows. So the channels
    of each patch are mixed by a few spatial filters and every mixture is projected, both in the same way for
    all patches: correlated component analysis with tokens in the place of samples, and few enough weights to
    be learned from a dozen people. What stays the same all through the window tells people apart, not
    moments: of a course only the deviations from its mean are kept. A state that lasts (eyes closed) is read
    from the mean instead.

    Parameters
    ----------
    dim : int
        Width of a token.
    n_layout : int
        The encoder's channels.
    projection_dim : int
        Width of the projection; that of a course is divided among its patches.
    n_patches : int, optional
        Patches of every window, to project the time course; none projects the mean over time.
    n_filters : int
        Spatial filters.

    References
    ----------
    A projection that later phases drop: Chen et al. (2020), A simple framework for contrastive learning of
    visual representations, ICML. Spatial filters that correlate between subjects: Dmochowski et al. (2012),
    Frontiers in Human Neuroscience 6.
    """

    def __init__(
        self, dim: int, n_layout: int, projection_dim: int, *, n_patches: int | None, n_filters: int = 8
    ) -> None:
        super().__init__()
        self.n_layout = n_layout
        self.n_patches = n_patches
        self.filters = nn.Parameter(torch.randn(n_filters, n_layout) / n_layout**0.5)
        width = max(1, projection_dim // (n_patches or 1))
        self.projection = nn.Linear(n_filters * dim, width, bias=n_patches is None)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Project tokens (batch, n_tokens, dim), absent ones left out, to unit vectors (batch, width)."""
        placed = (tokens * present.unsqueeze(-1)).unflatten(1, (self.n_layout, -1))
        course = self.projection(torch.einsum("fc,bcpd->bpfd", self.filters, placed).flatten(2))
        mean = course.mean(dim=1, keepdim=True)
        if self.n_patches is None:
            return F.normalize(mean.flatten(1), dim=-1)
        if course.shape[1] != self.n_patches:
            raise ValueError(f"windows of {self.n_patches} patches are expected, got {course.shape[1]}")
        return F.normalize((course - mean).flatten(1), dim=-1)
