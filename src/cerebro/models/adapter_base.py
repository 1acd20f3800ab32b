"""What all adapters are: a map from any montage onto the encoder's own layout."""

import torch
from torch import Tensor, nn


class ChannelAdapter(nn.Module):
    """Map windows onto a layout by one matrix per window, which depends on electrode positions alone.

    A subclass gives that matrix. It is made once for each distinct set of present electrodes in a batch, and
    it is made and applied in float32 also under autocast: in bfloat16 electrodes nearer than about
    five degrees would fall together.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's channels on the unit sphere.
    """

    layout: Tensor

    def __init__(self, layout: Tensor) -> None:
        super().__init__()
        self.register_buffer("layout", layout.float())

    def matrix(self, positions: Tensor, present: Tensor) -> Tensor:
        """Spatial map of each window.

        Parameters
        ----------
        positions : Tensor, shape (batch, n_chans, 3)
            Unit sphere.
        present : Tensor of bool, shape (batch, n_chans)

        Returns
        -------
        Tensor, shape (batch, n_layout, n_chans)
            Zero columns at absent channels.
        """
        raise NotImplementedError

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
            float32.
        present : Tensor of bool, shape (batch, n_layout)
            What the encoder may attend to: all positions, as long as any electrode is present.
        """
        with torch.autocast(signal.device.type, enabled=False):
            n_chans = present.shape[1]
            described = torch.cat((positions.float().flatten(1), present.float()), dim=1)
            distinct, which = torch.unique(described, dim=0, return_inverse=True)
            matrix = self.matrix(
                distinct[:, :-n_chans].unflatten(1, (n_chans, 3)), distinct[:, -n_chans:] > 0
            )
            mapped = matrix[which] @ signal.float()
        return mapped, present.any(dim=1, keepdim=True).expand(-1, len(self.layout))
