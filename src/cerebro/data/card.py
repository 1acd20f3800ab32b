"""A phase's output on disk: weights as safetensors and a card that says everything needed to load them."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cerebro.config import Architecture, BraindecodeSettings
from cerebro.data.networks import build_network
from cerebro.errors import UserError
from cerebro.files import atomic_path, read_json, write_json
from cerebro.models.classifier import Classifier, build_classifier
from cerebro.models.contrastive import ContrastiveModel
from cerebro.models.encoder import Encoder, build_encoder
from cerebro.models.predictor import Predictor, build_predictor
from cerebro.models.token_encoder import TokenEncoder
from cerebro.models.tokenizer import NeuralTokenizer, build_tokenizer
from cerebro.recordings.montages import layout_positions
from cerebro.shards.store import SFREQ

ENCODER_PREFIX = "encoder."
WEIGHTS = ("encoder.safetensors", "head.safetensors")
"""Files of a phase's weights: the encoder, and what sits on top of it."""


def write_phase_output(folder: Path, model: nn.Module, card: dict[str, Any]) -> None:
    """Write ``encoder.safetensors``, ``head.safetensors`` (the model's other weights) and ``card.json``.

    Parameters
    ----------
    folder : Path
    model : Module
        Has an ``encoder``, and is otherwise what sits on top of it.
    card : dict
        Plain values; the encoder's architecture is added.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    encoder = {k.removeprefix(ENCODER_PREFIX): v for k, v in state.items() if k.startswith(ENCODER_PREFIX)}
    head = {key: value for key, value in state.items() if not key.startswith(ENCODER_PREFIX)}
    for name, part in zip(WEIGHTS, (encoder, head), strict=True):
        with atomic_path(Path(folder) / name) as temporary:
            save_file(part, temporary)
    assert isinstance(model.encoder, TokenEncoder)
    write_json(Path(folder) / "card.json", {"encoder": model.encoder.architecture, **card})


def read_card(folder: Path) -> dict[str, Any]:
    """Read a phase's ``card.json``; a missing one is a ``UserError``."""
    path = Path(folder) / "card.json"
    if not path.exists():
        raise UserError(f"{path} does not exist: {folder} is not the output of a finished phase")
    return read_json(path)


def load_encoder(folder: Path) -> TokenEncoder:
    """Load a phase's encoder, in evaluation mode: all that a user of an encoder needs.

    Examples
    --------
    >>> encoder = load_encoder("results/demo/phases/contrast")  # doctest: +SKIP
    >>> features = encoder.features(signal, positions)  # µV in, (batch, dim) out  # doctest: +SKIP
    """
    encoder = build_encoder(read_card(folder)["encoder"])
    encoder.load_state_dict(load_file(Path(folder) / "encoder.safetensors"))
    return encoder.eval()


def load_checkpoint(folder: Path, number: int) -> TokenEncoder:
    """Load a phase's encoder as it was at one of the checkpoints within its training, numbered from 1."""
    encoder = build_encoder(read_card(folder)["encoder"])
    weights, prefix = load_file(Path(folder) / "checkpoints.safetensors"), f"{number}."
    chosen = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
    if not chosen:
        raise UserError(f"{folder} holds no checkpoint {number}; ask for it by `checkpoints` of the phase")
    encoder.load_state_dict(chosen)
    return encoder.eval()


def load_tokenizer(folder: Path) -> NeuralTokenizer:
    """Load the tokenizer of a finished tokenizer phase, in evaluation mode."""
    model = build_tokenizer(_architecture(folder, "tokenizer"))
    model.load_state_dict(_full_state(folder))
    return model.eval()


def load_predictor(folder: Path) -> Predictor:
    """Load the predictor of a finished finetune phase, in evaluation mode."""
    model = build_predictor(_architecture(folder, "predictor"))
    model.load_state_dict(_full_state(folder))
    return model.eval()


def load_classifier(folder: Path) -> Classifier:
    """Load the classifier of a finished finetune phase whose target has classes, in evaluation mode."""
    model = build_classifier(_architecture(folder, "classifier"))
    model.load_state_dict(_full_state(folder))
    return model.eval()


def load_contrastive(folder: Path) -> ContrastiveModel:
    """Load the encoder and projections of a finished contrast phase, in evaluation mode."""
    encoder = build_encoder(read_card(folder)["encoder"])
    model = ContrastiveModel(encoder, **_architecture(folder, "contrastive"))
    model.load_state_dict(_full_state(folder))
    return model.eval()


def random_encoder(settings: Architecture, seed: int) -> TokenEncoder:
    """An untrained encoder on the configured layout; the same for the same seed, other random states kept.

    Raises
    ------
    UserError
        When a network of braindecode does not exist or does not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(settings, BraindecodeSettings):
            return build_network(settings)
        return Encoder(
            layout=torch.from_numpy(layout_positions(settings.layout)),
            adapter=settings.adapter,
            patch_samples=round(settings.patch_seconds * SFREQ),
            sfreq=SFREQ,
            dim=settings.dim,
            depth=settings.depth,
            heads=settings.heads,
            dropout=settings.dropout,
            reference=settings.reference,
        )


def _architecture(folder: Path, key: str) -> dict[str, Any]:
    card = read_card(folder)
    if key not in card:
        raise UserError(f"{folder} holds a {card.get('kind')} phase, not a {key}")
    return card[key]


def _full_state(folder: Path) -> dict[str, Tensor]:
    encoder = load_file(Path(folder) / "encoder.safetensors")
    return load_file(Path(folder) / "head.safetensors") | {ENCODER_PREFIX + k: v for k, v in encoder.items()}
