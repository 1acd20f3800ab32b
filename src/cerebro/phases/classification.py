"""Phase 3 for classes: cross entropy in which every class weighs the same."""

from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cerebro.config import EventLabel, FinetunePhase
from cerebro.data.modules import FinetuneDataModule
from cerebro.data.phase_windows import require_classes
from cerebro.models.classifier import Classifier
from cerebro.models.low_rank import merge_low_rank
from cerebro.phases.auxiliary import Averages
from cerebro.phases.finetune import FinetuneModule, freeze
from cerebro.phases.job import PhaseJob
from cerebro.phases.selection import Selection
from cerebro.statistics.metrics import auc, mean_recall


class ClassificationModule(FinetuneModule):
    """Train a classifier; the balanced accuracy over validation windows chooses the epoch.

    Parameters
    ----------
    model : Classifier
    phase : FinetunePhase
    weights : Tensor, shape (n_classes,)
        See :func:`class_weights`.
    truth : array of int, shape (n_windows,)
        Codes of the classes of all validation windows.
    """

    model: Classifier
    weights: Tensor

    def __init__(
        self, model: Classifier, phase: FinetunePhase, weights: Tensor, truth: NDArray[np.int64]
    ) -> None:
        super().__init__(model, phase)
        self.register_buffer("weights", weights, persistent=False)
        self.truth = truth
        self.found = Averages(len(truth), len(weights))

    @property
    def selection(self) -> Selection:
        """Balanced accuracy: cross entropy punishes confidence long before fewer windows are told apart."""
        return Selection("val/balanced_accuracy", "max")

    def card(self) -> dict[str, Any]:
        """The classifier's architecture with its classes, its target, and the classes' weights."""
        return {
            "classifier": self.model.architecture,
            "target": self.phase.target,
            "class_weights": self.weights.tolist(),
        }

    def objective(self, batch: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """Weighted cross entropy."""
        return self._loss(self.model.head(*inputs), batch)

    def judge(self, batch: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """Weighted cross entropy; probabilities are kept for the epoch's end."""
        logits = self.model.head(*inputs)
        self.found.add(batch["row"], logits.float().softmax(dim=-1))
        return self._loss(logits, batch)

    def _loss(self, logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
        truth = batch[self.phase.target].long()
        return (F.cross_entropy(logits.float(), truth, reduction="none") * self.weights[truth]).mean()

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's probabilities."""
        self.found.clear()

    def on_validation_epoch_end(self) -> None:
        """Log balanced accuracy beside chance, and of two classes the area under the ROC curve.

        Over all validation windows of all devices; a class that they lack does not count.
        """
        seen, probability = self.found.means()
        truth, probability = self.truth[seen], probability[seen]
        metrics = {
            "val/balanced_accuracy": float(mean_recall(truth, probability.argmax(axis=1))),
            "val/chance": 1 / len(np.unique(truth)),
        }
        if probability.shape[1] == 2 and len(np.unique(truth)) == 2:
            metrics["val/auc"] = float(auc(truth, probability[:, 1]))
        self.log_dict(metrics, sync_dist=False)  # the same on every rank

    def finish(self, data: L.LightningDataModule, *, candidates: int) -> dict[str, float]:
        """Merge low-rank updates."""
        merge_low_rank(self.model.encoder)
        return {}


def build_classification(job: PhaseJob, phase: FinetunePhase) -> tuple[FinetuneModule, FinetuneDataModule]:
    """Module and data of a finetune phase whose target has classes."""
    train, validation = job.windows["train"], job.windows["validation"]
    classes = require_classes(job.node, phase.target, job.table, job.windows, job.labels)
    encoder = job.encoder()
    course = isinstance(job.labels[phase.target], EventLabel)
    head = {
        "kind": "regression",
        "n_patches": encoder.course_patches(int(train["length"].iloc[0])) if course else None,
        "dropout": phase.head_dropout,
        "n_outputs": len(classes),
    }
    weights = torch.from_numpy(class_weights(train, phase.target, len(classes))).float()
    truth = validation[phase.target].to_numpy(np.int64)
    model = Classifier(encoder, head, classes=list(classes))
    freeze(model.encoder, phase, node=job.node)
    data = FinetuneDataModule(
        train, validation, shards=job.shards, phase=phase, compute=job.compute, labels=[phase.target]
    )
    return ClassificationModule(model, phase, weights, truth), data


def class_weights(train: pd.DataFrame, target: str, n_classes: int) -> np.ndarray:
    """Weight of a window of each class: inverse to how many people are of it, each person counted once.

    Somebody with windows of several classes counts for each with the share of his windows that are of it: so
    one long recording does not make a class common. The weights are such that their mean over people is 1.

    Parameters
    ----------
    train : DataFrame
        Windows with ``subject`` and the target's codes; each class occurs.
    target : str
    n_classes : int

    Returns
    -------
    array, shape (n_classes,)
    """
    shares = pd.crosstab(train["subject"], train[target], normalize="index")
    people = shares.sum().reindex(range(n_classes)).to_numpy(float)
    return people.sum() / (n_classes * people)
