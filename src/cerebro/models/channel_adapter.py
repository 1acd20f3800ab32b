"""Adapters map the channels of any montage onto the encoder's own layout; docs/adapters.md compares them."""

from cerebro.models.adapter_base import ChannelAdapter
from cerebro.models.interpolation_adapter import InterpolationChannelAdapter
from cerebro.models.perceiver_adapter import PerceiverChannelAdapter
from cerebro.models.zero_pad_adapter import ZeroPadChannelAdapter

__all__ = [
    "ADAPTERS",
    "ChannelAdapter",
    "InterpolationChannelAdapter",
    "PerceiverChannelAdapter",
    "ZeroPadChannelAdapter",
]

ADAPTERS: dict[str, type[ChannelAdapter]] = {
    "perceiver": PerceiverChannelAdapter,
    "interpolation": InterpolationChannelAdapter,
    "zero_pad": ZeroPadChannelAdapter,
}
"""Adapters by their name in the configuration."""
