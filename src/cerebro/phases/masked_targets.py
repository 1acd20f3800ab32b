"""What Phase 1b predicts at hidden places: the tokenizer's code, the spectrum, or the signal itself."""

from typing import Protocol

import torch
from torch import Tensor, nn

from cerebro.losses.masked import code_loss, signal_loss
from cerebro.losses.spectrum import spectrum_loss
from cerebro.models.measured import MeasuredPatches
from cerebro.models.tokenizer import NeuralTokenizer


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
