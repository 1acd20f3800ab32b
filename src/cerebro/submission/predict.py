"""What a finished finetune phase answers on the windows that its challenge asks about, without packaging it.

The answers are those of the zip: the same predictor on the same windows, in µV instead of volts. A study
with hundreds of lineages compares them from these files; only the submission itself is packaged.
"""

from pathlib import Path

import numpy as np
import torch

from cerebro.data.card import load_predictor, read_card
from cerebro.data.selection import read_index, shards_folder
from cerebro.data.windows import WindowDataset
from cerebro.evaluation.challenge import ANSWERS
from cerebro.submission.answers import AnswerSplit, challenge_rows, write_answers

BATCH_SIZE = 64
"""Windows per forward pass; no effect on the answers."""


def predict(folder: Path, *, split: AnswerSplit, index: Path, output: Path) -> None:
    """Predict every window that the challenge asks about in one split.

    Parameters
    ----------
    folder : Path
        A finished finetune phase.
    split : {'validation', 'test'}
    index : Path
        The window index.
    output : Path
        As :func:`cerebro.submission.answers.write_answers` writes it.
    """
    model, target = load_predictor(folder), read_card(folder)["target"]
    rows = challenge_rows(read_index(index), target, split, purpose=f"the answers of {folder}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, dataset = model.to(device), WindowDataset(rows, shards_folder(index))
    answers = {name: np.empty(len(rows)) for name in ANSWERS}
    with torch.inference_mode():
        for first in range(0, len(rows), BATCH_SIZE):
            numbers = range(first, min(first + BATCH_SIZE, len(rows)))
            batch = dataset[numbers]
            own = model.standardised(batch["signal"].to(device), batch["positions"].to(device))
            for name, factor in (("prediction", model.shrinkage), ("unshrunk", 1.0)):
                answers[name][numbers] = model.answer(own, factor)[:, 0].cpu()
    write_answers(rows, target, answers["prediction"], unshrunk=answers["unshrunk"], output=output)
