"""Masked EEG modelling: which tokens are hidden, and how well what stands there is predicted."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cerebro.losses.spectrum import AMPLITUDE_FLOOR


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


def signal_targets(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Waveform of each patch (..., patch_samples), normalised, and the logarithm of its level (..., 1).

    The waveform is normalised patch by patch (He et al. 2022): in microvolts few loud patches are most of the
    loss, and what stands in the others is not learned. A floor keeps the noise of silent patches small.
    """
    deviation = patches - patches.mean(dim=-1, keepdim=True)
    level = deviation.square().mean(dim=-1, keepdim=True).sqrt() + AMPLITUDE_FLOOR
    return deviation / level, level.log()


def signal_loss(prediction: Tensor, patches: Tensor, scored: Tensor) -> dict[str, Tensor]:
    """Error of the waveform of hidden tokens and of their level.

    Parameters
    ----------
    prediction : Tensor, shape (batch, n_tokens, patch_samples + 1)
        The normalised samples and the logarithm of the standard deviation.
    patches : Tensor, shape (batch, n_tokens, patch_samples)
        In units of the front end.
    scored : Tensor of bool, shape (batch, n_tokens)
        Tokens that were hidden and have a measured target.

    Returns
    -------
    dict
        ``waveform``, squared error as a share of the power of all scored waveforms, 1 when nothing is
        predicted; ``level``, mean squared error of the logarithm; ``loss``, their sum. Zero, with a gradient,
        when no token is scored.
    """
    waveform, log_level = signal_targets(patches[scored].float())
    prediction = prediction[scored].float()
    n_scored = max(1, len(waveform))
    power = waveform.square().sum()
    missed = (prediction[:, :-1] - waveform).square().sum() / power.where(power > 0, torch.ones_like(power))
    level_error = (prediction[:, -1:] - log_level).square().sum() / n_scored
    return {"loss": missed + level_error, "waveform": missed, "level": level_error}
