"""Neural spectrum prediction: amplitude and phase of a patch, in a form that has a unique answer."""

import torch
from torch import Tensor

AMPLITUDE_FLOOR = 0.05
"""Added before the logarithm, in units of the front end: about 1 µV, the noise of a good amplifier."""


def spectral_targets(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Log amplitude and phase of the half spectrum of each patch.

    Parameters
    ----------
    patches : Tensor, shape (..., patch_samples)

    Returns
    -------
    targets : Tensor, shape (..., 3, n_bins)
        Log amplitude, sine and cosine of the phase; ``n_bins = patch_samples // 2 + 1``. LaBraM's wrapped
        angles jump between -pi and pi, and its full spectrum counts every bin twice.
    amplitude : Tensor, shape (..., n_bins)
    """
    spectrum = torch.fft.rfft(patches.float(), norm="ortho")
    amplitude = spectrum.abs()
    unit = spectrum / amplitude.clamp(min=1e-6)
    log_amplitude = (amplitude + AMPLITUDE_FLOOR).log()
    return torch.stack((log_amplitude, unit.imag, unit.real), dim=-2), amplitude


def spectrum_loss(prediction: Tensor, patches: Tensor, scored: Tensor) -> dict[str, Tensor]:
    """Error of predicted spectra over scored tokens.

    Parameters
    ----------
    prediction : Tensor, shape (batch, n_tokens, 3, n_bins)
    patches : Tensor, shape (batch, n_tokens, patch_samples)
    scored : Tensor of bool, shape (batch, n_tokens)
        Tokens that count: those with a measured target.

    Returns
    -------
    dict
        ``amplitude``: mean squared error of log amplitudes. ``phase``: squared error of sine and cosine,
        weighted by each bin's share of the patch's amplitude, since the phase of an empty bin is noise;
        1 when nothing is known, 0 when all is.
        Zero, with a gradient, when no token is scored.
    """
    targets, amplitude = (values[scored] for values in spectral_targets(patches))
    squared = (prediction[scored].float() - targets).square()
    share = amplitude / amplitude.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    n_scored = max(1, len(targets))
    return {
        "amplitude": squared[:, 0].mean(dim=-1).sum() / n_scored,
        "phase": ((squared[:, 1] + squared[:, 2]) * share).sum() / n_scored,
    }
