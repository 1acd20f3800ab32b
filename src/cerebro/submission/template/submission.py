"""Submission to the EEG Foundation Challenge 2025, packaged by cerebro.

The scorer constructs ``Submission(SFREQ, DEVICE)``, asks for a model per challenge and calls ``forward`` with
float32 windows of shape (batch, 129, 200): volts, 100 Hz, 0.5 to 50 Hz, channels E1 to E128 and Cz, Cz
reference. Needs torch 2.2 or later, braindecode if a network of it is shipped, and nothing else.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cerebro.models.predictor import build_predictor

WEIGHT_FOLDERS = (
    Path(__file__).resolve().parent,
    Path("/app/input/res"),
    Path("/app/input"),
    Path("/app/output"),
    Path.cwd(),
)
"""Where the scorer may have unpacked the zip, likeliest first."""
MICROVOLTS_PER_VOLT = 1e6


class Ensemble(nn.Module):
    """Predictors behind the scorer's interface: volts in, (batch, 1) in the target's unit out.

    Parameters
    ----------
    predictors : list of Module
        Take µV (batch, n_chans, n_times) and positions (batch, n_chans, 3).
    weights : list of float
        How much each counts in the mean of their answers; sum to 1.
    positions : Tensor, shape (n_chans, 3)
        Electrodes on the unit sphere, in the order of the scorer's channels.
    """

    positions: Tensor

    def __init__(self, predictors: "list[nn.Module]", weights: "list[float]", positions: Tensor) -> None:
        super().__init__()
        self.predictors = nn.ModuleList(predictors)
        self.weights = weights
        self.register_buffer("positions", positions)

    def forward(self, X: Tensor) -> Tensor:
        """Predict from windows (batch, n_chans, n_times) in volts."""
        signal = X.to(self.positions.device, torch.float32) * MICROVOLTS_PER_VOLT
        positions = self.positions.expand(len(signal), -1, -1)
        answers = [predictor(signal, positions) for predictor in self.predictors]
        return sum(weight * answer for weight, answer in zip(self.weights, answers, strict=True))


class Submission:
    """What the scorer constructs.

    Parameters
    ----------
    SFREQ : float
        Sampling rate of the windows in Hz.
    DEVICE : str or torch.device
        Where the models run.
    """

    def __init__(self, SFREQ: float, DEVICE: "str | torch.device") -> None:
        self.sfreq = float(SFREQ)
        self.device = torch.device(DEVICE)

    def get_model_challenge_1(self) -> nn.Module:
        """Model of reaction times in seconds."""
        return self._load("weights_challenge_1.pt")

    def get_model_challenge_2(self) -> nn.Module:
        """Model of the externalizing factor."""
        return self._load("weights_challenge_2.pt")

    def _load(self, name: str) -> nn.Module:
        candidates = [folder / name for folder in WEIGHT_FOLDERS]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            raise FileNotFoundError(f"{name} lies in none of: {', '.join(map(str, WEIGHT_FOLDERS))}")
        content = torch.load(found, map_location="cpu", weights_only=True)
        predictors = [self._predictor(member) for member in content["members"]]
        weights = [member["weight"] for member in content["members"]]
        return Ensemble(predictors, weights, content["positions"]).to(self.device).eval()

    def _predictor(self, member: "dict[str, Any]") -> nn.Module:
        trained_at = member["predictor"]["encoder"]["sfreq"]
        if self.sfreq != trained_at:
            raise ValueError(f"the model was trained at {trained_at} Hz, not at {self.sfreq} Hz")
        predictor = build_predictor(member["predictor"])
        predictor.load_state_dict(member["state"])
        return predictor
