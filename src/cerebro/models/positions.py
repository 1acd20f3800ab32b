"""Fourier features of electrode positions and of time: how tokens know where and when they are."""

import math

import torch
from torch import Tensor, nn


class FourierEmbedding(nn.Module):
    """Map coordinates to ``dim`` features through sines and cosines of fixed random projections.

    Parameters
    ----------
    n_coordinates : int
        3 for positions on the unit sphere, 1 for time in seconds.
    dim : int
        Width of the output.
    bandwidth : float
        Standard deviation of the random frequencies in cycles per unit of the coordinate.
    n_frequencies : int
        Number of random projections.

    References
    ----------
    Tancik et al. (2020), Fourier features let networks learn high frequency functions in low dimensional
    domains, NeurIPS.
    """

    frequencies: Tensor

    def __init__(self, n_coordinates: int, dim: int, *, bandwidth: float, n_frequencies: int = 32) -> None:
        super().__init__()
        # A fixed seed: the projections are part of the architecture, not of a training run.
        generator = torch.Generator().manual_seed(n_coordinates)
        frequencies = torch.randn(n_coordinates, n_frequencies, generator=generator) * bandwidth
        self.register_buffer("frequencies", frequencies)
        self.projection = nn.Linear(2 * n_frequencies, dim)

    def forward(self, coordinates: Tensor) -> Tensor:
        """Embed coordinates of shape (..., n_coordinates) as (..., dim)."""
        angle = 2 * math.pi * coordinates @ self.frequencies
        return self.projection(torch.cat((angle.sin(), angle.cos()), dim=-1))


class TokenPlaces(nn.Module):
    """Where and when each token of a window is: embeddings of its channel's position and of its patch's time.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the channels on the unit sphere.
    patch_seconds : float
        Distance between patches.
    dim : int
        Width of a token.
    scale : float
        Factor of the embeddings' weights where training starts.
    """

    layout: Tensor

    def __init__(self, layout: Tensor, patch_seconds: float, dim: int, *, scale: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("layout", layout.float(), persistent=False)
        self.patch_seconds = patch_seconds
        # Frequencies of about half a cycle per head radius and per second: neighbouring electrodes and
        # neighbouring patches are similar but distinct.
        self.where = FourierEmbedding(3, dim, bandwidth=0.5)
        self.when = FourierEmbedding(1, dim, bandwidth=0.5)
        with torch.no_grad():
            for weight in self.parameters():
                weight.mul_(scale)

    def forward(self, n_patches: int) -> Tensor:
        """Embed all tokens of windows of ``n_patches``, shape (n_layout * n_patches, dim)."""
        seconds = torch.arange(n_patches, device=self.layout.device) * self.patch_seconds
        where = self.where(self.layout).unsqueeze(1)
        when = self.when(seconds.unsqueeze(-1)).unsqueeze(0)
        return (where + when).flatten(0, 1)

    def squared_distances(self, n_patches: int) -> Tensor:
        """In space (chords) and in time (s) between all tokens, shape (n_tokens, n_tokens, 2)."""
        n_layout = len(self.layout)
        seconds = torch.arange(n_patches, device=self.layout.device) * self.patch_seconds
        space = torch.cdist(self.layout, self.layout).repeat_interleave(n_patches, 0)
        space = space.repeat_interleave(n_patches, 1)
        time = (seconds[:, None] - seconds[None, :]).repeat(n_layout, n_layout)
        return torch.stack((space, time), dim=-1).square()
