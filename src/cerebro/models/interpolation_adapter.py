"""Spherical splines: interpolation without anything learned, the control for the learned adapter.

The splines are computed here and not by MNE or braindecode (``ChannelInterpolationLayer`` calls MNE once for
a fixed pair of montages) because a submission ships these modules to a machine on which only torch may be
relied on, and because every window of a batch has its own present channels, on whatever device it is.
A cell's weights are those that MNE gives for its electrodes, to within rounding, which a test holds.
"""

import math

import torch
from torch import Tensor

from cerebro.models.adapter_base import ChannelAdapter

STIFFNESS = 4
TERMS = 50
SMOOTHING = 1e-5
"""Order of the spline, Legendre terms and the addition to the diagonal, as in MNE."""
MOST = 16
"""Electrodes of one cell that are used, the nearest ones; a net of 128 has at most 8 in a cell of the 10-20
system. A fixed number, so that nothing waits for a count."""


class InterpolationChannelAdapter(ChannelAdapter):
    """Interpolate each layout position from the electrodes of its cell by spherical splines.

    References
    ----------
    Perrin, Pernier, Bertrand & Echallier (1989), Spherical splines for scalp potential and current density
    mapping, Electroencephalography and Clinical Neurophysiology 72, 184-187. Reference implementation:
    ``mne.channels.interpolation._make_interpolation_matrix``, behind ``Raw.interpolate_bads`` and
    ``Raw.interpolate_to``.
    """

    @torch.no_grad()
    def weigh(self, positions: Tensor, members: Tensor) -> Tensor:
        """Spline weights of each cell; shapes as in :meth:`ChannelAdapter.weigh`.

        Solves one small system per cell, in float64. Places beyond a cell's own electrodes keep their rows
        and columns as those of the identity, so that cells of any size are solved as one batch.
        """
        closeness = self.layout @ positions.transpose(1, 2)
        nearest = closeness.masked_fill(~members, -2).topk(min(MOST, positions.shape[1]), dim=2).indices
        here = members.gather(2, nearest).double()
        # The kernel is made once per montage, of which a batch holds two or three.
        montages, which = torch.unique(positions.double(), dim=0, return_inverse=True)
        window = which.view(-1, 1, 1, 1)
        among = _kernel(montages @ montages.transpose(1, 2))
        among = among[window, nearest.unsqueeze(3), nearest.unsqueeze(2)] * here.unsqueeze(2)
        among = among * here.unsqueeze(3) + torch.diag_embed(SMOOTHING * here + (1 - here))
        towards = _kernel(self.layout.double() @ montages.transpose(1, 2))[which].gather(2, nearest) * here
        empty = (~members.any(dim=2)).double()[..., None, None]  # solvable, zero
        system = torch.cat(
            (
                torch.cat((among, here.unsqueeze(3)), dim=3),
                torch.cat((here.unsqueeze(2), empty), dim=3),
            ),
            dim=2,
        )
        wanted = torch.cat((towards, torch.ones_like(towards[..., :1])), dim=2)
        solution = torch.linalg.solve(system, wanted)[..., :-1]
        return torch.zeros_like(closeness).scatter(2, nearest, solution.float())


def _kernel(cosine: Tensor) -> Tensor:
    """Perrin's g(x), equation 3, of the cosine between two electrodes; Legendre polynomials by recurrence."""
    previous, current = torch.ones_like(cosine), cosine
    total = torch.zeros_like(cosine)
    for n in range(1, TERMS + 1):
        total = total + (2 * n + 1) / (4 * math.pi * (n * (n + 1)) ** STIFFNESS) * current
        previous, current = current, ((2 * n + 1) * cosine * current - n * previous) / (n + 1)
    return total
