"""Auxiliary tasks: several labels at once, each of which may be missing for any window."""

import math
from collections.abc import Mapping
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Task = TypeVar("Task", bound=str)

BINARY_TASKS = ("sex",)
"""Tasks learned as a logit; all others are regressions of standardised values."""


class AuxiliaryTaskLoss(nn.Module):
    """Weighted sum of the tasks' losses over the windows that have the label.

    Parameters
    ----------
    weights : mapping of str to float
        Weight of each task, positive.
    learned : bool
        Whether the tasks weigh themselves: each has a learned variance that divides its loss, and pays for
        it (homoscedastic uncertainty, Kendall, Gal & Cipolla 2018, CVPR). ``weights`` are the start.
    """

    def __init__(self, weights: Mapping[Task, float], *, learned: bool = False) -> None:
        super().__init__()
        self.weights: dict[str, float] = dict(weights.items())
        self.log_variance = None
        if learned:
            start = [-math.log(weight / _precision(task)) for task, weight in self.weights.items()]
            self.log_variance = nn.Parameter(torch.tensor(start))

    def forward(self, predictions: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare predictions with labels.

        Parameters
        ----------
        predictions, labels : mapping of str to Tensor, shape (batch,)
            Labels are standardised (regressions) or 0 and 1 (binary); NaN where missing.

        Returns
        -------
        dict
            ``loss``, the weighted sum, and each task's own mean loss under its name. A task without any
            label in the batch contributes zero, with finite gradients.
        """
        losses = {task: self._task_loss(task, predictions[task], labels[task]) for task in self.weights}
        terms = torch.stack(list(losses.values()))
        if self.log_variance is None:
            weights = terms.new_tensor(list(self.weights.values()))
            return {"loss": (weights * terms).sum(), **losses}
        factors = terms.new_tensor([_precision(task) for task in self.weights])
        labelled = torch.stack([(~labels[task].isnan()).any() for task in self.weights])
        # A task that no window speaks for must not grow sure or unsure of itself either.
        weighed = factors * (-self.log_variance).exp() * terms + self.log_variance / 2 * labelled
        return {"loss": weighed.sum(), **losses}

    @staticmethod
    def _task_loss(task: str, prediction: Tensor, label: Tensor) -> Tensor:
        known = ~label.isnan()
        label = label.nan_to_num()  # before the loss: NaN times zero is still NaN in the gradient
        if task in BINARY_TASKS:
            loss = F.binary_cross_entropy_with_logits(prediction.float(), label, reduction="none")
        else:
            loss = F.mse_loss(prediction.float(), label, reduction="none")
        return (loss * known).sum() / known.sum().clamp(min=1)


def _precision(task: str) -> float:
    """What a task's loss is multiplied with at variance 1: half a squared error, a whole cross-entropy."""
    return 1.0 if task in BINARY_TASKS else 0.5
