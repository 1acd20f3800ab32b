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
