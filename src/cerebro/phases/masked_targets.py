"""What Phase 1b predicts at hidden places: the tokenizer's code, the spectrum, or the signal itself.

Each target also says what knows nothing of a place, and how an interpolated waveform is read as a
prediction: the references that a model's metrics stand beside.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cerebro.losses.masked import code_loss, signal_loss, signal_targets
from cerebro.losses.spectrum import AMPLITUDE_FLOOR, spectral_targets, spectrum_loss
from cerebro.models.front_end import SCALE_UV, FrontEnd
from cerebro.models.measured import MeasuredPatches
from cerebro.models.tokenizer import NeuralTokenizer

SHARPNESS = torch.linspace(0, 40, 81)
"""Factors on the similarity to a code, of which the likeliest on training windows is taken."""


class MaskedTarget(Protocol):
    """A target of masked modelling."""

    n_outputs: int
    """Values predicted for each hidden token."""

    def measure(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Targets (batch, n_tokens, ...) of windows, and which tokens have one, (batch, n_tokens)."""
        ...

    def compare(self, prediction: Tensor, target: Tensor, scored: Tensor) -> dict[str, Tensor]:
        """Metrics of predictions (batch, n_hidden, n_outputs) where ``scored``; ``loss`` is minimised."""
        ...

    def constant(self, target: Tensor) -> Tensor:
        """The best prediction that is the same everywhere, (n_outputs,), for targets (n, ...)."""
        ...

    def field(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms that are interpolated, (batch, n_channels, n_patches, patch_samples), and the channels
        that are present, (batch, n_channels)."""
        ...

    def read(self, waveform: Tensor, error: Tensor, present: Tensor) -> Tensor:
        """Features (batch, n_tokens, n_outputs) of waveforms whose hidden patches are expectations.

        ``error`` (batch, n_channels, n_patches, n_bins) is the expected squared error of each bin of their
        spectrum, 0 where a patch is known: an expectation is quieter than what it stands for.
        """
        ...

    def calibrated(self, features: Tensor, target: Tensor) -> Callable[[Tensor], Tensor]:
        """Predictions from features, as fits training places: features (n, n_outputs), targets (n, ...)."""
        ...


class CodeTarget(nn.Module):
    """The code of a frozen tokenizer (LaBraM, Jiang et al. 2024)."""

    def __init__(self, tokenizer: NeuralTokenizer) -> None:
        super().__init__()
        self.tokenizer = tokenizer.eval().requires_grad_(False)
        self.n_outputs: int = tokenizer.architecture["n_codes"]

    def train(self, mode: bool = True) -> "CodeTarget":
        """Stay in evaluation mode, whatever the mode of the training."""
        return super().train(False)

    def measure(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Codes."""
        return self.tokenizer.tokenize(signal, positions)

    def compare(self, prediction: Tensor, target: Tensor, scored: Tensor) -> dict[str, Tensor]:
        """Cross-entropy and accuracy."""
        return code_loss(prediction, target, scored)

    def constant(self, target: Tensor) -> Tensor:
        """Logarithm of how often each code occurs; one that never did counts as one occurrence."""
        counts = torch.bincount(target, minlength=self.n_outputs) + 1
        return (counts / counts.sum()).log()

    @torch.no_grad()
    def field(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The channels that the tokenizer sees."""
        encoder = self.tokenizer.encoder
        referenced, present = encoder.front_end(signal, positions)
        adapted, found = encoder.adapter(referenced, positions, present)
        return _patches(adapted, encoder.patch_samples), found

    @torch.no_grad()
    def read(self, waveform: Tensor, error: Tensor, present: Tensor) -> Tensor:
        """Similarity to each code of what the tokenizer makes of the window with its gaps filled.

        Each bin of a filled patch has the amplitude that is expected there and the interpolated phase: at
        the expectation's own amplitude the tokenizer would see quiet patches.
        """
        spectrum, amplitude = _spectrum(waveform, error)
        filled = torch.fft.irfft(torch.polar(amplitude, spectrum.angle()), n=waveform.shape[-1], norm="ortho")
        channels = (filled * present[..., None, None]).flatten(2) * SCALE_UV
        encoder = deepcopy(self.tokenizer.encoder)
        encoder.front_end = FrontEnd("recorded")  # these channels are referenced already
        layout = encoder.adapter.layout.expand(len(channels), -1, -1)
        vectors = F.normalize(self.tokenizer.to_code(encoder(channels, layout)).float(), dim=-1)
        return vectors @ self.tokenizer.quantizer.codes.T

    def calibrated(self, features: Tensor, target: Tensor) -> Callable[[Tensor], Tensor]:
        """How often a code occurs, times a power of the similarity: as sharp as is likeliest."""
        prior = self.constant(target)
        if not len(target):
            return lambda found: prior + 0 * found
        losses = [F.cross_entropy(prior + sharp * features, target) for sharp in SHARPNESS.tolist()]
        sharpness = float(SHARPNESS[int(torch.stack(losses).argmin())])
        return lambda found: prior + sharpness * found


class SpectrumTarget(nn.Module):
    """Log amplitude, sine and cosine of the phase: what the tokenizer predicts, without a tokenizer."""

    def __init__(self, measured: MeasuredPatches) -> None:
        super().__init__()
        self.measured = measured
        self.n_outputs = 3 * (measured.patch_samples // 2 + 1)

    def measure(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Patches."""
        return self.measured(signal, positions)

    def compare(self, prediction: Tensor, target: Tensor, scored: Tensor) -> dict[str, Tensor]:
        """Errors of amplitude and phase, and their sum."""
        errors = spectrum_loss(prediction.unflatten(-1, (3, -1)), target, scored)
        return {"loss": torch.stack(list(errors.values())).sum(), **errors}

    def constant(self, target: Tensor) -> Tensor:
        """The mean log amplitude of each bin, and no phase."""
        wanted, _ = spectral_targets(target)
        mean = wanted.mean(dim=0)
        return torch.cat((mean[:1], torch.zeros_like(mean[1:]))).flatten()

    def field(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The patches themselves."""
        return self.measured.by_channel(signal, positions)

    def read(self, waveform: Tensor, error: Tensor, present: Tensor) -> Tensor:
        """The expected log amplitude, and the phase, weaker where little of the amplitude is known.

        The phase counts by the amplitude of its bin, so that its best prediction is the expected spectrum
        over the expected amplitude; that of a complex Gaussian of variance ``v`` is ``sqrt(pi v / 4)``.
        """
        spectrum, amplitude = _spectrum(waveform, error)
        known = spectrum / (spectrum.abs().square() + math.pi / 4 * error).sqrt().clamp(min=1e-6)
        log_amplitude = (amplitude + AMPLITUDE_FLOOR).log()
        return torch.stack((log_amplitude, known.imag, known.real), dim=-2).flatten(-2).flatten(1, 2)

    def calibrated(self, features: Tensor, target: Tensor) -> Callable[[Tensor], Tensor]:
        """A line for each output."""
        wanted, amplitude = spectral_targets(target)
        weight = torch.stack((torch.ones_like(amplitude), amplitude, amplitude), dim=-2)
        return _lines(features, wanted.flatten(-2), self.constant(target), weight.flatten(-2))


class SignalTarget(nn.Module):
    """The samples: each patch's waveform and its level."""

    def __init__(self, measured: MeasuredPatches) -> None:
        super().__init__()
        self.measured = measured
        self.n_outputs = measured.patch_samples + 1

    def measure(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Patches."""
        return self.measured(signal, positions)

    def compare(self, prediction: Tensor, target: Tensor, scored: Tensor) -> dict[str, Tensor]:
        """Errors of waveform and level, and their sum."""
        return signal_loss(prediction, target, scored)

    def constant(self, target: Tensor) -> Tensor:
        """No waveform, and the mean level."""
        waveform, log_level = signal_targets(target)
        return torch.cat((torch.zeros_like(waveform[0]), log_level.mean(dim=0)))

    def field(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The patches themselves."""
        return self.measured.by_channel(signal, positions)

    def read(self, waveform: Tensor, error: Tensor, present: Tensor) -> Tensor:
        """The interpolated waveform over the level that is expected of the patch, and that level."""
        n_samples = waveform.shape[-1]
        twice = torch.full(error.shape[-1:], 2.0, device=error.device)
        twice[0] = 0  # the mean is no part of the level
        if n_samples % 2 == 0:
            twice[-1] = 1
        power = (_spectrum(waveform, error)[1].square() * twice).sum(dim=-1, keepdim=True) / n_samples
        level = power.sqrt() + AMPLITUDE_FLOOR
        deviation = waveform - waveform.mean(dim=-1, keepdim=True)
        return torch.cat((deviation / level, level.log()), dim=-1).flatten(1, 2)

    def calibrated(self, features: Tensor, target: Tensor) -> Callable[[Tensor], Tensor]:
        """A line for each output."""
        wanted = torch.cat(signal_targets(target), dim=-1)
        return _lines(features, wanted, self.constant(target), torch.ones_like(wanted))


def _patches(channels: Tensor, patch_samples: int) -> Tensor:
    n_patches = channels.shape[-1] // patch_samples
    return channels[..., : n_patches * patch_samples].unflatten(-1, (n_patches, -1))


def _spectrum(waveform: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """Half spectrum of an expected waveform, and the amplitude to be expected of the waveform itself."""
    spectrum = torch.fft.rfft(waveform.float(), norm="ortho")
    return spectrum, (spectrum.abs().square() + error).sqrt()


def _lines(features: Tensor, wanted: Tensor, constant: Tensor, weight: Tensor) -> Callable[[Tensor], Tensor]:
    """Weighted least squares of each output on its own feature, through the constant prediction."""
    if not len(features):
        return lambda found: constant + 0 * found
    centre = torch.where(constant != 0, features.mean(dim=0), torch.zeros_like(constant))
    moved = features - centre
    slope = (weight * moved * (wanted - constant)).sum(dim=0) / (weight * moved.square()).sum(dim=0).clamp(
        min=1e-9
    )
    return lambda found: constant + slope * (found - centre)
