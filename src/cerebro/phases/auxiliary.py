"""Labels of Phase 1b's auxiliary tasks: their scales, and what the heads make of held-out subjects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from torch import Tensor, nn

from cerebro.errors import UserError
from cerebro.losses.auxiliary import BINARY_TASKS

LOG_TASKS = ("age",)
"""Tasks whose logarithm is regressed: what development and ageing do to EEG goes with ratios of age."""


@dataclass(frozen=True, kw_only=True)
class LabelScale:
    """How a label becomes a target: ``(value - mean) / deviation``, of the logarithm where ``log``.

    ``deviation`` is the one within archives. TUH's patients are mostly adults and HBN's children 5
    to 22 years old: over both together one deviation is 20 years, and a head that only tells the archives
    apart would have next to no loss left. Within archives the logarithm of age has nearly the same spread in
    both, so that the loss sees children of 6 and 12 as far apart as adults of 30 and 60.
    """

    log: bool
    mean: float
    deviation: float

    def standardise(self, label: Tensor) -> Tensor:
        """Targets from labels in their units; NaN stays NaN, and what has no logarithm becomes it."""
        return ((label.where(label > 0, torch.nan).log() if self.log else label) - self.mean) / self.deviation

    def restore(self, prediction: np.ndarray) -> np.ndarray:
        """Labels in their units from predicted targets."""
        value = self.mean + self.deviation * prediction
        return np.exp(value) if self.log else value


def label_scales(train: pd.DataFrame, tasks: Sequence[str]) -> dict[str, LabelScale]:
    """Scale of each regressed label, every training subject counted once.

    Raises
    ------
    UserError
        When no archive has two training subjects with different labels for a task.
    """
    subjects = train.groupby(["dataset", "subject"])[list(tasks)].first()
    scales = {}
    for task in tasks:
        if task in BINARY_TASKS:
            continue
        log = task in LOG_TASKS
        values = subjects[task].dropna().astype(float)
        values = np.log(values[values > 0]) if log else values  # infants, and zero written for unknown
        within = values - values.groupby("dataset").transform("mean")
        deviation = float(np.sqrt((within**2).mean()))
        if not deviation > 0:
            raise UserError(
                f"auxiliary task '{task}' needs two training subjects of one dataset with different labels; "
                f"{len(values)} have one at all; write the tasks to keep into the phase's auxiliary"
            )
        scales[task] = LabelScale(log=log, mean=float(values.mean()), deviation=deviation)
    return scales


def label_means(train: pd.DataFrame, tasks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Mean label of the training subjects by task and dataset: what to beat without looking at EEG."""
    subjects = train.groupby(["dataset", "subject"])[list(tasks)].first()
    means = subjects.groupby("dataset")[list(tasks)].mean()
    return {
        task: {str(name): float(mean) for name, mean in means[task].dropna().items()}
        for task in tasks
        if task not in BINARY_TASKS
    }


class HeldOutSubjects(nn.Module):
    """Predictions for validation windows, averaged by subject and compared with the subject's labels.

    Parameters
    ----------
    validation : DataFrame
        The validation windows: ``subject``, ``dataset`` and a column per task.
    tasks : sequence of str
    scales, means
        See :func:`label_scales` and :func:`label_means`.
    """

    sums: Tensor
    counts: Tensor

    def __init__(
        self,
        validation: pd.DataFrame,
        tasks: Sequence[str],
        scales: Mapping[str, LabelScale],
        means: Mapping[str, Mapping[str, float]],
    ) -> None:
        super().__init__()
        # Sorted, as the codes of subjects in batches are.
        self.subjects = validation.groupby("subject")[["dataset", *tasks]].first()
        self.tasks = list(tasks)
        self.scales = scales
        self.means = means
        n_subjects = len(self.subjects)
        self.register_buffer("sums", torch.zeros(n_subjects, len(tasks)), persistent=False)
        self.register_buffer("counts", torch.zeros(n_subjects), persistent=False)

    def clear(self) -> None:
        """Forget all predictions."""
        self.sums.zero_()
        self.counts.zero_()

    def add(self, subject: Tensor, predictions: Mapping[str, Tensor]) -> None:
        """Take in the predictions (batch,) of each task for windows of subjects given as codes (batch,)."""
        values = [
            predictions[task].sigmoid() if task in BINARY_TASKS else predictions[task] for task in self.tasks
        ]
        self.sums.index_add_(0, subject, torch.stack(values, dim=-1).detach().float())
        self.counts.index_add_(0, subject, torch.ones_like(subject, dtype=torch.float32))

    def metrics(self) -> dict[str, float]:
        """Errors in the labels' units, over the windows of all ranks: ``<task>/<dataset>/<metric>``.

        Regressions have ``mae``, ``mae_floor`` (of the dataset's training mean) and ``r``; sex has
        ``balanced_accuracy``. By dataset, since telling the archives apart already tells children from
        adults. What a dataset's subjects leave undefined is left out.
        """
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(self.sums)
            dist.all_reduce(self.counts)
        seen = (self.counts > 0).cpu().numpy()
        mean = (self.sums / self.counts.clamp(min=1).unsqueeze(-1)).cpu().numpy().astype(float)
        values: dict[str, float] = {}
        for number, task in enumerate(self.tasks):
            for dataset in sorted(self.subjects["dataset"].unique()):
                known = seen & self.subjects[task].notna() & (self.subjects["dataset"] == dataset)
                truth, guess = self.subjects.loc[known, task].to_numpy(float), mean[known, number]
                scores = self._scores(task, str(dataset), truth, guess) if len(truth) else {}
                values |= {f"{task}/{dataset}/{name}": score for name, score in scores.items()}
        return values

    def _scores(self, task: str, dataset: str, truth: np.ndarray, guess: np.ndarray) -> dict[str, float]:
        if task in BINARY_TASKS:
            right = [((guess[truth == value] > 0.5) == value).mean() for value in (0, 1) if value in truth]
            return {"balanced_accuracy": float(np.mean(right))} if len(right) == 2 else {}
        guess = self.scales[task].restore(guess)
        scores = {"mae": float(np.abs(truth - guess).mean())}
        if dataset in self.means[task]:
            scores["mae_floor"] = float(np.abs(truth - self.means[task][dataset]).mean())
        if len(truth) > 2 and truth.std() > 0 and guess.std() > 0:
            scores["r"] = float(np.corrcoef(truth, guess)[0, 1])
        return scores
