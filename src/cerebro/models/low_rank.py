"""Low-rank adaptation: frozen weights plus a small trained difference, merged into them at the end."""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

SCALE = 2.0
"""Weight of the difference: LoRA's alpha over rank, with alpha of twice the rank as is usual."""


class LowRankUpdate(nn.Module):
    """Add ``SCALE * up @ down`` to a weight matrix; zero at the start, since ``up`` is.

    Parameters
    ----------
    n_out, n_in : int
        Shape of the weight.
    rank : int
        Rank of the difference.
    """

    def __init__(self, n_out: int, n_in: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, n_in))
        self.up = nn.Parameter(torch.zeros(n_out, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """The adapted weight."""
        return weight + SCALE * self.up @ self.down


def add_low_rank(module: nn.Module, rank: int) -> None:
    """Freeze a module and give every linear layer in it, larger than the rank, a trained low-rank update.

    Parameters
    ----------
    module : Module
        Changed in place.
    rank : int

    Raises
    ------
    ValueError
        When no linear layer is larger than the rank.

    References
    ----------
    Hu et al. (2022), LoRA: low-rank adaptation of large language models, ICLR. All linear layers, not only
    those of attention, after Dettmers et al. (2023), QLoRA, NeurIPS.
    """
    module.requires_grad_(False)
    layers = [part for part in module.modules() if isinstance(part, nn.Linear)]
    layers = [layer for layer in layers if min(layer.in_features, layer.out_features) > rank]
    if not layers:
        raise ValueError(f"no linear layer is larger than the rank ({rank})")
    for layer in layers:
        parametrize.register_parametrization(
            layer, "weight", LowRankUpdate(layer.out_features, layer.in_features, rank)
        )


def merge_low_rank(module: nn.Module) -> None:
    """Add every low-rank update to its weight, which is a plain parameter again; others stay untouched."""
    for part in list(module.modules()):
        if not parametrize.is_parametrized(part, "weight"):
            continue
        updates = part.parametrizations["weight"]  # type: ignore[index]
        if any(isinstance(update, LowRankUpdate) for update in updates):
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
