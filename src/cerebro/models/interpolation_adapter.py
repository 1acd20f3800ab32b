"""Spherical splines: interpolation without anything learned, the control for the learned adapter.

The splines are computed here and not by MNE or braindecode (``ChannelInterpolationLayer`` calls MNE once for
a fixed pair of montages) because a submission ships these modules to a machine on which only torch may be
relied on, and because every window of a batch has its own present channels, on whatever device it is.
The matrix is MNE's to within rounding, which a test holds.
"""

import math

import torch
from torch import Tensor

from cerebro.models.adapter_base import ChannelAdapter

STIFFNESS = 4
TERMS = 50
SMOOTHING = 1e-5
"""Order of the spline, Legendre terms and the addition to the diagonal, as in MNE."""


class InterpolationChannelAdapter(ChannelAdapter):
    """Interpolate the layout's positions from the present electrodes by spherical splines.

    References
    ----------
    Perrin, Pernier, Bertrand & Echallier (1989), Spherical splines for scalp potential and current density
    mapping, Electroencephalography and Clinical Neurophysiology 72, 184-187. Reference implementation:
    ``mne.channels.interpolation._make_interpolation_matrix``, behind ``Raw.interpolate_bads`` and
    ``Raw.interpolate_to``.
    """

    @torch.no_grad()
    def matrix(self, positions: Tensor, present: Tensor) -> Tensor:
        """Spatial map of each window: shapes as in :meth:`ChannelAdapter.matrix`.

        Solves in float64: with 128 electrodes the system's condition is about 1e5. Absent channels keep
        their rows and columns as those of the identity, so that windows that miss different channels are
        solved as one batch.
        """
        here = present.double()
        batch, n_chans = here.shape
        montages, which = torch.unique(positions.double(), dim=0, return_inverse=True)
        among = _kernel(montages @ montages.transpose(1, 2))[which] * here.unsqueeze(1) * here.unsqueeze(2)
        among = among + torch.diag_embed(SMOOTHING * here + (1 - here))
        towards = _kernel(self.layout.double() @ montages.transpose(1, 2))[which] * here.unsqueeze(1)
        corner = (~present.any(dim=1)).double().view(batch, 1, 1)  # a window without channels: solvable, zero
        system = torch.cat(
            (torch.cat((among, here.unsqueeze(2)), 2), torch.cat((here.unsqueeze(1), corner), 2)), 1
        )
        ones = towards.new_ones(batch, len(self.layout), 1)
        solution = torch.linalg.solve(system, torch.cat((towards, ones), 2).transpose(1, 2))
        return solution[:, :n_chans].transpose(1, 2).float()


def _kernel(cosine: Tensor) -> Tensor:
    """Perrin's g(x), equation 3, of the cosine between two electrodes; Legendre polynomials by recurrence."""
    previous, current = torch.ones_like(cosine), cosine
    total = torch.zeros_like(cosine)
    for n in range(1, TERMS + 1):
        total = total + (2 * n + 1) / (4 * math.pi * (n * (n + 1)) ** STIFFNESS) * current
        previous, current = current, ((2 * n + 1) * cosine * current - n * previous) / (n + 1)
    return total
