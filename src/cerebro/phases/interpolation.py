"""Linear interpolation of hidden patches: what a covariance alone knows, beside which a model must stand.

The conditional expectation of a Gaussian signal whose covariance is the product of one between channels and
one between samples. Neighbouring electrodes share signals through the skull, and a signal goes on from one
patch to the next: an encoder has learned something only where it is better than this.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

RIDGE = 0.03
"""Noise in every sample, as a share of the signal's variance."""
ITERATIONS = 200
TOLERANCE = 1e-2
"""Conjugate gradients end when no window's residual is larger than this share of what was to be explained."""

Interpolation = Literal["space", "time", "both"]
"""From other channels at the same sample, from other samples of the same channel, or from all of both."""


@dataclass(frozen=True)
class Covariances:
    """Second moments of training windows of equal power.

    Parameters
    ----------
    space : Tensor, shape (n_channels, n_channels)
        Between channels at one sample; the mean of its diagonal is one.
    time : Tensor, shape (n_times, n_times)
        Between samples of one channel; the same.
    """

    space: Tensor
    time: Tensor

    def factors(self, kind: Interpolation) -> tuple[Tensor, Tensor]:
        """Covariances between channels and between samples that an interpolation goes by.

        Variances alone, shape (n,), where it does not look at the others.
        """
        space = self.space.diagonal() if kind == "time" else self.space
        time = self.time.diagonal() if kind == "space" else self.time
        return space, time


def fit_covariances(windows: Iterable[tuple[Tensor, Tensor]]) -> Covariances:
    """Estimate from windows (batch, n_channels, n_times) and their present channels (batch, n_channels).

    Every window counts alike, however loud it is. Samples covary by how far apart they are, whenever in a
    window. Channels that were never present together are taken as uncorrelated.
    """
    space = time = together = channels = torch.zeros(())
    for values, present in windows:
        values, weight = values.double(), present.double()
        values = values * weight.unsqueeze(2) / level(values, present.unsqueeze(2).expand_as(values))
        space = space + torch.einsum("bit,bjt->ij", values, values) / values.shape[2]
        time = time + torch.einsum("bis,bit->st", values, values)
        together, channels = together + weight.T @ weight, channels + weight.sum()
    space = _positive(space / together.clamp(min=1))
    time = _positive(_stationary(time / channels.clamp(min=1)))
    return Covariances(
        *(part.float() / part.diagonal().mean().float().clamp(min=1e-12) for part in (space, time))
    )


def level(values: Tensor, counted: Tensor) -> Tensor:
    """Root mean square of the counted samples of each window, shape (batch, 1, 1); 1 where none is."""
    power = (values.square() * counted).sum(dim=(1, 2), keepdim=True) / counted.sum(dim=(1, 2), keepdim=True)
    return power.sqrt().where(power > 0, torch.ones_like(power))


def interpolate(values: Tensor, visible: Tensor, space: Tensor, time: Tensor) -> Tensor:
    """Conditional expectation of every sample, given those that are visible.

    Parameters
    ----------
    values : Tensor, shape (batch, n_channels, n_times)
        About 1; what is not visible is not looked at.
    visible : Tensor of bool, shape (batch, n_channels, n_times)
    space, time : Tensor
        Factors of the covariance, see :meth:`Covariances.factors`.

    Returns
    -------
    Tensor, shape (batch, n_channels, n_times)

    Notes
    -----
    Solved by conjugate gradients (Hestenes & Stiefel 1952, J. Res. Natl. Bur. Stand. 49, 409): the visible
    samples of each window are others, and their covariances would be thousands of rows wide.
    """

    def signal(weights: Tensor) -> Tensor:
        across = space @ weights if space.ndim > 1 else space.unsqueeze(1) * weights
        return across @ time if time.ndim > 1 else across * time

    shown = visible.to(values.dtype)
    weights = torch.zeros_like(values)
    residual = values * shown
    direction, power = residual, residual.square().sum(dim=(1, 2), keepdim=True)
    enough = TOLERANCE**2 * power
    for _ in range(ITERATIONS):
        if not bool((power > enough).any()):
            break
        applied = signal(direction) * shown + RIDGE * direction
        step = power / (direction * applied).sum(dim=(1, 2), keepdim=True).clamp(min=1e-30)
        weights = weights + step * direction
        residual = residual - step * applied
        new = residual.square().sum(dim=(1, 2), keepdim=True)
        direction, power = residual + new / power.clamp(min=1e-30) * direction, new
    return signal(weights)


def _stationary(covariance: Tensor) -> Tensor:
    """Each diagonal's mean in all its places."""
    samples = torch.arange(len(covariance), device=covariance.device)
    lag = (samples.unsqueeze(1) - samples).abs().flatten()
    sums = torch.zeros_like(covariance[0]).index_add_(0, lag, covariance.flatten())
    return (sums / torch.bincount(lag))[lag].view_as(covariance)


def _positive(covariance: Tensor) -> Tensor:
    """The nearest covariance: not every pair was counted in the same windows or places."""
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
    return (vectors * values.clamp(min=0)) @ vectors.T
