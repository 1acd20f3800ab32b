"""Keeping some tokens of each window: what is hidden costs nothing, and every window keeps its own."""

import torch
from torch import Tensor


def choose(wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Places of the wanted tokens of each window, padded to the largest number of them (at least one).

    Parameters
    ----------
    wanted : Tensor of bool, shape (batch, n_tokens)

    Returns
    -------
    places : Tensor of int64, shape (batch, n_chosen)
        In order; what pads a row are places that were not wanted, none of them twice.
    valid : Tensor of bool, shape (batch, n_chosen)
        False where a row is padded.
    """
    n_chosen = max(1, int(wanted.sum(dim=1).max()))
    places = wanted.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :n_chosen]
    return places, wanted.gather(1, places)


def take(values: Tensor, places: Tensor) -> Tensor:
    """Values (batch, n_tokens, ...) at the places (batch, n_chosen) of each window."""
    index = places.view(*places.shape, *(1,) * (values.ndim - 2)).expand(-1, -1, *values.shape[2:])
    return values.gather(1, index)


def put_back(kept: Tensor, places: Tensor, valid: Tensor, n_tokens: int) -> Tensor:
    """Undo :func:`take` of tokens (batch, n_chosen, dim); zeros wherever no valid token came from."""
    kept = kept * valid.unsqueeze(-1)
    whole = kept.new_zeros(len(kept), n_tokens, kept.shape[-1])
    return whole.scatter(1, places.unsqueeze(-1).expand_as(kept), kept)
