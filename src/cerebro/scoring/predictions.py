"""What a finished finetune phase answers on the windows of its target, without packaging it.

The answers to a challenge are those of the zip: the same predictor on the same windows, in µV instead of
volts. A study with hundreds of lineages compares them from these files; only the submission itself is
packaged.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor, nn

from cerebro.config import AnyLabel, FinetunePhase
from cerebro.data.card import load_classifier, load_predictor, read_card
from cerebro.data.selection import read_index, shards_folder
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError
from cerebro.scoring.answers import AnswerSplit, answered_rows, write_answers, write_classes

BATCH_SIZE = 64
"""Windows per forward pass; no effect on the answers."""


def predict(folder: Path, *, split: AnswerSplit, index: Path, output: Path) -> None:
    """Predict every window with the phase's target in one split.

    Parameters
    ----------
    folder : Path
        A finished finetune phase; its card says of which windows and by which declarations.
    split : {'validation', 'test'}
    index : Path
        The window index.
    output : Path
        As :func:`cerebro.scoring.answers.write_answers` writes it, or for classes
        :func:`cerebro.scoring.answers.write_classes`.

    Raises
    ------
    UserError
        When there are no windows, or the folder holds no finetune phase.
    """
    card = read_card(folder)
    if card["kind"] != "finetune":
        raise UserError(f"{folder} holds a {card['kind']} phase, which predicts no label")
    phase = FinetunePhase.model_validate(card["settings"]["phase"])
    labels = TypeAdapter(dict[str, AnyLabel]).validate_python(card["settings"]["labels"])
    table, shards = read_index(index), shards_folder(index)
    rows = answered_rows(table, phase, labels, split, purpose=f"the answers of {folder}")
    dataset = WindowDataset(rows, shards)
    if "classifier" in card:
        classifier = load_classifier(folder)
        found = _through(classifier, dataset, lambda *window: classifier(*window).float().softmax(dim=-1))
        write_classes(rows, phase.target, found, classes=classifier.classes, output=output)
        return
    model = load_predictor(folder)

    def both(signal: Tensor, positions: Tensor) -> Tensor:
        own = model.standardised(signal, positions)
        return torch.cat([model.answer(own, factor) for factor in (model.shrinkage, 1.0)], dim=1)

    found = _through(model, dataset, both)
    write_answers(rows, phase.target, found[:, 0], unshrunk=found[:, 1], output=output)


def _through(
    model: nn.Module, dataset: WindowDataset, read: Callable[[Tensor, Tensor], Tensor]
) -> NDArray[np.float64]:
    """What ``read`` makes of all windows by means of a model, (n, width)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    parts = []
    with torch.inference_mode():
        for first in range(0, len(dataset), BATCH_SIZE):
            batch = dataset[range(first, min(first + BATCH_SIZE, len(dataset)))]
            parts.append(read(batch["signal"].to(device), batch["positions"].to(device)).cpu().numpy())
    return np.concatenate(parts).astype(np.float64)
