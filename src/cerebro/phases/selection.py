"""What says which epoch of a training is the best: a measure of what its kind of phase is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd


@dataclass(frozen=True)
class Selection:
    """A metric of validation, and whether less or more of it is better."""

    metric: str
    mode: Literal["min", "max"]

    def best(self, history: pd.DataFrame) -> pd.Series:
        """The row of the first epoch than which none is better."""
        values = history[self.metric]
        return history.loc[values.idxmin() if self.mode == "min" else values.idxmax()]


SELECTIONS: Mapping[str, Selection] = {
    # The commitment loss grows while the codebook comes to use.
    "tokenizer": Selection("val/reconstruction", "min"),
    # The auxiliary heads learn fast, and learn by heart, while masked modelling goes on.
    "pretrain": Selection("val/masked_loss", "min"),
    # InfoNCE punishes confidence long before fewer moments are found again.
    "contrast": Selection("val/retrieval_top1", "max"),
    # The squared error: NRMSE is its root over what the labels vary, and is missing where they do not.
    # Modules of classes have a selection of their own.
    "finetune": Selection("val/loss", "min"),
}
"""By kind of phase: for the epoch that `keep: best` keeps, and for `patience`."""
