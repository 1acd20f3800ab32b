"""What all adapters are: a map from any montage onto the encoder's own layout, cell by cell."""

import math

import torch
from torch import Tensor, nn

MAX_DEGREES = 30.0
"""Angle beyond which an electrode belongs to no layout position. Every place of the 10-10 system is within 29
degrees of one of the 10-20 system; what lies farther out (36 to 40 degrees in the 129-channel net) is on the
face or the neck."""
UNEVEN = (0.36e-5, 0.48e-5, 0.80e-5)
"""Added to closeness along this direction: of two places equally far away (left and right of the midline) the
same one is taken, in whatever order they come and however a cosine is rounded."""


class ChannelAdapter(nn.Module):
    """Map windows onto a layout by one matrix per window, which depends on electrode positions alone.

    Every electrode belongs to one layout position, the nearest (within :data:`MAX_DEGREES`): it lies in that
    position's cell. A position reads the present electrodes of its own cell and no others, and is present
    where there is one. So no electrode reaches two tokens of one patch: whoever hides a token hides the
    electrodes behind it, on any montage and whatever was learned.

    A subclass weighs the electrodes within a cell. Matrices are made and applied in float32 also under
    autocast: in bfloat16 electrodes nearer than about five degrees would fall together.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's channels on the unit sphere.
    """

    layout: Tensor

    def __init__(self, layout: Tensor) -> None:
        super().__init__()
        self.register_buffer("layout", layout.float())

    def weigh(self, positions: Tensor, members: Tensor) -> Tensor:
        """Weights of the electrodes of each cell.

        Parameters
        ----------
        positions : Tensor, shape (batch, n_chans, 3)
            Unit sphere.
        members : Tensor of bool, shape (batch, n_layout, n_chans)
            Present electrodes of each cell.

        Returns
        -------
        Tensor, shape (batch, n_layout, n_chans)
            Finite everywhere; what stands outside a cell does not count.
        """
        raise NotImplementedError

    def cells(self, positions: Tensor) -> Tensor:
        """Cell of each electrode.

        Parameters
        ----------
        positions : Tensor, shape (batch, n_chans, 3)
            Unit sphere; zeros where a batch pads a montage.

        Returns
        -------
        Tensor of bool, shape (batch, n_layout, n_chans)
            True at most once for an electrode.
        """
        cosine = self.layout @ positions.transpose(1, 2)
        closeness = cosine + (self.layout @ self.layout.new_tensor(UNEVEN)).unsqueeze(1)
        own = closeness.argmax(dim=1, keepdim=True)
        number = torch.arange(len(self.layout), device=own.device).view(-1, 1)
        return (own == number) & (cosine > math.cos(math.radians(MAX_DEGREES)))

    def matrix(self, positions: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Spatial map of each window.

        Parameters
        ----------
        positions : Tensor, shape (batch, n_chans, 3)
            Unit sphere.
        present : Tensor of bool, shape (batch, n_chans)

        Returns
        -------
        matrix : Tensor, shape (batch, n_layout, n_chans)
            float32; zero outside a position's cell and at absent channels.
        present : Tensor of bool, shape (batch, n_layout)
            Positions with a present electrode in their cell.
        """
        with torch.autocast(positions.device.type, enabled=False):
            positions = positions.float()
            members = self.cells(positions) & present.unsqueeze(1)
            return self.weigh(positions, members) * members, members.any(dim=2)

    def forward(self, signal: Tensor, positions: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Map signals to the layout.

        Parameters
        ----------
        signal : Tensor, shape (batch, n_chans, n_times)
        positions : Tensor, shape (batch, n_chans, 3)
            Unit sphere.
        present : Tensor of bool, shape (batch, n_chans)

        Returns
        -------
        signal : Tensor, shape (batch, n_layout, n_times)
            float32; zeros at absent positions.
        present : Tensor of bool, shape (batch, n_layout)
            What the encoder may attend to.
        """
        matrix, found = self.matrix(positions, present)
        with torch.autocast(signal.device.type, enabled=False):
            return matrix @ signal.float(), found
