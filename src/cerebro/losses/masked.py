"""Masked EEG modelling: which tokens are hidden, and how well what stands there is predicted."""

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


def code_loss(logits: Tensor, codes: Tensor, scored: Tensor) -> dict[str, Tensor]:
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
    logits, codes = logits[scored].float(), codes[scored]
    n_scored = max(1, len(codes))
    return {
        "loss": F.cross_entropy(logits, codes, reduction="sum") / n_scored,
        "accuracy": (logits.argmax(dim=-1) == codes).sum() / n_scored,
    }


def signal_loss(prediction: Tensor, patches: Tensor, scored: Tensor) -> dict[str, Tensor]:
    """Huber loss of the samples of hidden tokens: squared up to one unit of the front end, linear above.

    Parameters
    ----------
    prediction, patches : Tensor, shape (batch, n_tokens, patch_samples)
        In units of the front end.
    scored : Tensor of bool, shape (batch, n_tokens)
        Tokens that were hidden and have a measured target.

    Returns
    -------
    dict
        ``loss``, a mean over samples, and ``error``, the mean squared error as a share of the targets'
        mean square; zero, with a gradient, when no token is scored.
    """
    prediction, patches = prediction[scored].float(), patches[scored].float()
    n_samples = max(1, patches.numel())
    loss = F.smooth_l1_loss(prediction, patches, reduction="sum") / n_samples
    error = (prediction - patches).square().sum() / patches.square().sum().clamp(min=1e-6)
    return {"loss": loss, "error": error.detach()}
