"""One electrode for each position of the layout; positions without an electrode stay empty."""

import torch
from torch import Tensor

from cerebro.models.adapter_base import UNEVEN, ChannelAdapter


class ZeroPadChannelAdapter(ChannelAdapter):
    """Each layout position takes the nearest electrode of its cell, or stays zero and absent.

    An electrode of the layout's own name lies on its position. There are no weights, and real measurements
    pass through unchanged, so this also makes the targets of the tokenizer.
    """

    def weigh(self, positions: Tensor, members: Tensor) -> Tensor:
        """One at the nearest electrode of each cell; shapes as in :meth:`ChannelAdapter.weigh`."""
        uneven = (positions @ positions.new_tensor(UNEVEN)).unsqueeze(1)
        nearness = (self.layout @ positions.transpose(1, 2) + uneven).masked_fill(~members, -torch.inf)
        nearest = nearness.argmax(dim=2, keepdim=True)
        return torch.zeros_like(nearness).scatter_(2, nearest, 1.0)
