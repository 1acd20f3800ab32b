"""Masked EEG modelling: which tokens are hidden, and how well their codes are predicted."""

import torch
import torch.nn.functional as F
from torch import Tensor


def random_masks(batch: int, n_tokens: int, share: float, generator: torch.Generator) -> Tensor:
    """Hide exactly ``round(share * n_tokens)`` tokens of each window, uniformly at random.

    Returns
    -------
    Tensor of bool, shape (batch, n_tokens)
        True where hidden; on the generator's device.
    """
    noise = torch.rand(batch, n_tokens, generator=generator, device=generator.device)
    return noise.argsort(dim=-1).argsort(dim=-1) < round(share * n_tokens)


def masked_code_loss(logits: Tensor, codes: Tensor, scored: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of the codes of hidden tokens.

    Parameters
    ----------
    logits : Tensor, shape (batch, n_tokens, n_codes)
    codes : Tensor of int64, shape (batch, n_tokens)
    scored : Tensor of bool, shape (batch, n_tokens)
        Tokens that were hidden and have a code.

    Returns
    -------
    dict
        ``loss`` (nats) and ``accuracy``, means over scored tokens; zero, with a gradient, when there is none.
    """
    n_scored = scored.sum().clamp(min=1)
    loss = F.cross_entropy(logits.flatten(0, 1).float(), codes.flatten(), reduction="none")
    right = (logits.argmax(dim=-1) == codes) & scored
    return {"loss": (loss * scored.flatten()).sum() / n_scored, "accuracy": right.sum() / n_scored}
