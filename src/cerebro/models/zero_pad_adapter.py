"""Channels into the slots of the layout; slots without a channel stay empty."""

import math

import torch
from torch import Tensor

from cerebro.models.adapter_base import ChannelAdapter

MAX_DEGREES = 20.0
"""Angle within which an electrode stands in for a layout position. MNE's 10-20 positions and their published
counterparts on the 129-channel net differ by up to 16 degrees."""
_UNEVEN = (0.36e-5, 0.48e-5, 0.80e-5)
"""Added to distances along this direction: of two electrodes equally far from a position (left and right of
the midline) one is taken, the same one in whatever order they come."""


class ZeroPadChannelAdapter(ChannelAdapter):
    """Each electrode goes to the layout position nearest to it; positions without one stay zero and absent.

    Electrodes farther than 20 degrees from every position are left out; of several that go to one position
    the nearest is kept. An electrode of the layout's own name lies on its position. There are no weights,
    and real measurements pass through unchanged, so this also makes the targets of the tokenizer.
    """

    def forward(self, signal: Tensor, positions: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Place signals in the layout: shapes as in :meth:`ChannelAdapter.forward`; absent where empty."""
        with torch.autocast(signal.device.type, enabled=False):
            positions = positions.float()
            cosine = self.layout @ positions.transpose(1, 2)
            own = cosine.argmax(dim=1, keepdim=True) == torch.arange(
                len(self.layout), device=cosine.device
            ).view(-1, 1)
            candidate = own & present.unsqueeze(1) & (cosine > math.cos(math.radians(MAX_DEGREES)))
            uneven = (positions @ positions.new_tensor(_UNEVEN)).unsqueeze(1)
            nearness, index = (cosine + uneven).masked_fill(~candidate, -torch.inf).max(dim=-1)
            found = nearness > -torch.inf
            mapped = signal.float().gather(1, index.unsqueeze(-1).expand(-1, -1, signal.shape[-1]))
        return mapped * found.unsqueeze(-1), found
