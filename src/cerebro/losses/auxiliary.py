"""Auxiliary tasks: several labels at once, each of which may be missing for any window."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AuxiliaryTaskLoss(nn.Module):
    """Weighted sum of the tasks' losses over the windows that have the label.

    Parameters
    ----------
    weights : mapping of str to float
        Weight of each task, positive.
    classes : mapping of str to int
        Number of classes of each task that has some: two are learned as one logit, more by cross entropy. All
        other tasks are regressions of standardised values.
    learned : bool
        Whether the tasks weigh themselves: each has a learned variance that divides its loss, and pays for
        it (homoscedastic uncertainty, Kendall, Gal & Cipolla 2018, CVPR). ``weights`` are the start.
    """

    def __init__(
        self, weights: Mapping[str, float], *, classes: Mapping[str, int] | None = None, learned: bool = False
    ) -> None:
        super().__init__()
        self.weights: dict[str, float] = dict(weights.items())
        self.classes: dict[str, int] = dict(classes or {})
        self.log_variance = None
        if learned:
            start = [-math.log(weight / self._precision(task)) for task, weight in self.weights.items()]
            self.log_variance = nn.Parameter(torch.tensor(start))

    def forward(self, predictions: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compare predictions with labels.

        Parameters
        ----------
        predictions : mapping of str to Tensor, shape (batch,)
            Of a task of more than two classes (batch, n_classes).
        labels : mapping of str to Tensor, shape (batch,)
            Standardised, or codes of classes; NaN where missing.

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
        factors = terms.new_tensor([self._precision(task) for task in self.weights])
        labelled = torch.stack([(~labels[task].isnan()).any() for task in self.weights])
        # A task that no window speaks for must not grow sure or unsure of itself either.
        weighed = factors * (-self.log_variance).exp() * terms + self.log_variance / 2 * labelled
        return {"loss": weighed.sum(), **losses}

    def _task_loss(self, task: str, prediction: Tensor, label: Tensor) -> Tensor:
        known = ~label.isnan()
        label = label.nan_to_num()  # before the loss: NaN times zero is still NaN in the gradient
        count = self.classes.get(task)
        if count is None:
            loss = F.mse_loss(prediction.float(), label, reduction="none")
        elif count == 2:
            loss = F.binary_cross_entropy_with_logits(prediction.float(), label, reduction="none")
        else:
            loss = F.cross_entropy(prediction.float(), label.long(), reduction="none")
        return (loss * known).sum() / known.sum().clamp(min=1)

    def _precision(self, task: str) -> float:
        """Factor of a task's loss at variance 1: half a squared error, a whole cross entropy."""
        return 1.0 if task in self.classes else 0.5
