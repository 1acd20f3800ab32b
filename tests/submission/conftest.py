"""Finetuned phases with weights drawn at random, and hand-made submissions."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cerebro.config import BraindecodeSettings, EncoderSettings
from cerebro.data.card import random_encoder, write_phase_output
from cerebro.models.predictor import Predictor
from cerebro.models.regression import ResponseHead
from cerebro.recordings.montages import layout_positions
from cerebro.submission.package import package

SCALES = {"reaction_time": (1.6, 0.2, 0.0, 2.4), "externalizing": (0.1, 0.3, -3.0, 5.0)}
HEADS = {
    "reaction_time": {
        "kind": "response",
        "mean": 1.6,
        "deviation": 0.2,
        "first": -0.5,
        "n_bins": 34,
        "window_start": 0.5,
        "layout": layout_positions("ten_twenty").tolist(),
        "sfreq": 100.0,
    },
    "externalizing": {"kind": "factors", "n_factors": 3},
}
SETTINGS = {
    "reaction_time": {
        "phase": {"kind": "finetune", "target": "reaction_time"},
        "labels": {
            "reaction_time": {"of": "event", "at": "target", "column": "response_time", "window": [0.5, 2.5]}
        },
    },
    "externalizing": {
        "phase": {"kind": "finetune", "target": "externalizing", "windows": "crop"},
        "labels": {"externalizing": {"of": "person", "column": "externalizing"}},
    },
}
SMALL = EncoderSettings(dim=16, depth=1, heads=2)


def make_phase(
    folder: Path,
    target: str,
    *,
    constant: bool = False,
    shrinkage: float = 1.0,
    encoder: EncoderSettings | BraindecodeSettings = SMALL,
) -> Path:
    """A finetune phase whose head answers something, or (as before training) the training mean."""
    mean, deviation, low, high = SCALES[target]
    torch.manual_seed(1)
    predictor = Predictor(
        random_encoder(encoder, seed=3),
        HEADS[target],
        mean=mean,
        deviation=deviation,
        low=low,
        high=high,
        shrinkage=shrinkage,
    )
    if not constant:
        head = predictor.head
        if isinstance(head, ResponseHead):
            torch.nn.init.normal_(head.evidence.weight, std=0.05)
        else:
            torch.nn.init.normal_(head.factors.regression.weight, std=0.3)
            torch.nn.init.normal_(head.slopes, std=0.5)
    card = {
        "kind": "finetune",
        "settings": SETTINGS[target],
        "predictor": predictor.architecture,
        "target": target,
    }
    write_phase_output(folder, predictor, card)
    return folder


@pytest.fixture(scope="session")
def write_phase() -> Callable[..., Path]:
    """:func:`make_phase`."""
    return make_phase


@pytest.fixture(scope="session")
def phases(tmp_path_factory) -> dict[str, Path]:
    """A finetune phase per challenge."""
    root = tmp_path_factory.mktemp("phases")
    return {target: make_phase(root / target, target) for target in SCALES}


@pytest.fixture(scope="session")
def submission(phases, tmp_path_factory) -> Path:
    """A sound submission."""
    output = tmp_path_factory.mktemp("submission") / "submission.zip"
    package(challenge_1=[phases["reaction_time"]], challenge_2=[phases["externalizing"]], output=output)
    return output


HAND_MADE = """
from pathlib import Path
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, offset):
        super().__init__()
        self.offset = offset

    def forward(self, X):
        return self.offset + 1e3 * X[:, :5].std(dim=-1).mean(dim=1, keepdim=True)

class Submission:
    def __init__(self, SFREQ, DEVICE):
        folder = Path(__file__).parent
        self.weights = torch.load(folder / "weights_challenge_1.pt", weights_only=True)

    def get_model_challenge_1(self):
        return Model(self.weights["offset"])

    def get_model_challenge_2(self):
        return Model(self.weights["offset"])
"""
"""A sound submission of a few lines: 1.5 plus the mean deviation (mV) of five channels."""


@pytest.fixture
def hand_made(tmp_path) -> Callable[..., Path]:
    """Write a zip of :data:`HAND_MADE` with one piece of its source replaced by another."""

    def write(old: str = "", new: str = "", *, extra: dict[str, bytes] | None = None) -> Path:
        assert old in HAND_MADE
        source = HAND_MADE.replace(old, new) if old else HAND_MADE
        weights = io.BytesIO()
        torch.save({"offset": 1.5}, weights)
        files = {
            "submission.py": source.encode(),
            "weights_challenge_1.pt": weights.getvalue(),
            **(extra or {}),
        }
        path = tmp_path / "hand_made.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path

    return write
