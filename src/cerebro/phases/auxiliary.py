"""Labels of Phase 1b's auxiliary tasks: their scales, and what the heads make of held-out people."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from torch import Tensor, nn

from cerebro.config import AnyLabel, PersonLabel
from cerebro.errors import UserError

Labels = Mapping[str, AnyLabel]
Classes = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class LabelScale:
    """How a label becomes a target: ``(value - mean) / deviation``, of the logarithm where ``log``.

    ``deviation`` is the one within datasets. TUH's patients are mostly adults and HBN's children 5
    to 22 years old: over both together one deviation is 20 years, and a head that only tells the datasets
    apart would have next to no loss left. Within datasets the logarithm of age has nearly the same spread in
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


def units(windows: pd.DataFrame, task: str, label: AnyLabel) -> pd.DataFrame:
    """Whose value a label is: one row per person, or per window for what varies within one.

    Columns ``dataset`` and the task's own.
    """
    if isinstance(label, PersonLabel):
        return windows.groupby(["dataset", "subject"])[[task]].first().reset_index("dataset")
    return windows[["dataset", task]]


def label_scales(train: pd.DataFrame, labels: Labels) -> dict[str, LabelScale]:
    """Scale of each label that is a number; every training person (or window, :func:`units`) counts once.

    Raises
    ------
    UserError
        When no dataset has two different training values of a task.
    """
    scales = {}
    for task, label in labels.items():
        if label.is_class:
            continue
        log = isinstance(label, PersonLabel) and label.log
        table = units(train, task, label).dropna()
        table = table[table[task] > 0] if log else table  # infants, and zero written for unknown
        values = table[task].astype(float)
        values = np.log(values) if log else values
        within = values - values.groupby(table["dataset"]).transform("mean")
        deviation = float(np.sqrt((within**2).mean()))
        if not deviation > 0:
            raise UserError(
                f"auxiliary task '{task}' needs two training subjects of one dataset with different labels; "
                f"{len(values)} have one at all; write the tasks to keep into the phase's auxiliary"
            )
        scales[task] = LabelScale(log=log, mean=float(values.mean()), deviation=deviation)
    return scales


def label_means(train: pd.DataFrame, labels: Labels) -> dict[str, dict[str, float]]:
    """Mean of each number over training people by task and dataset: what to beat without looking at EEG."""
    means = {}
    for task, label in labels.items():
        if not label.is_class:
            of_task = units(train, task, label).groupby("dataset")[task].mean().dropna()
            means[task] = {str(name): float(mean) for name, mean in of_task.items()}
    return means


class Averages(nn.Module):
    """Running means of rows of values, by a code: over the windows of a person, say.

    Parameters
    ----------
    n_codes, width : int
    """

    sums: Tensor
    counts: Tensor

    def __init__(self, n_codes: int, width: int) -> None:
        super().__init__()
        self.register_buffer("sums", torch.zeros(n_codes, width), persistent=False)
        self.register_buffer("counts", torch.zeros(n_codes), persistent=False)

    def clear(self) -> None:
        """Forget all values."""
        self.sums.zero_()
        self.counts.zero_()

    def add(self, code: Tensor, values: Tensor) -> None:
        """Take in values (n, width) of codes (n,)."""
        self.sums.index_add_(0, code, values.detach().float())
        self.counts.index_add_(0, code, torch.ones_like(code, dtype=torch.float32))

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Which codes were seen on any rank, (n_codes,), and their means, (n_codes, width)."""
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(self.sums)
            dist.all_reduce(self.counts)
        seen = (self.counts > 0).cpu().numpy()
        mean = self.sums / self.counts.clamp(min=1).unsqueeze(-1)
        return seen, mean.cpu().numpy().astype(float)


class HeldOutLabels(nn.Module):
    """Predictions for validation windows, averaged by person where the label is one's, compared with labels.

    Parameters
    ----------
    validation : DataFrame
        The validation windows, numbered from 0: ``subject``, ``dataset`` and a column per task.
    labels : mapping of str to label
        The tasks.
    classes : mapping of str to tuple of str
        Classes of those tasks that have some.
    scales, means
        See :func:`label_scales` and :func:`label_means`.
    """

    def __init__(
        self,
        validation: pd.DataFrame,
        labels: Labels,
        classes: Classes,
        scales: Mapping[str, LabelScale],
        means: Mapping[str, Mapping[str, float]],
    ) -> None:
        super().__init__()
        self.labels, self.classes, self.scales, self.means = labels, classes, scales, means
        # Sorted, as the codes of subjects in batches are.
        people = validation.groupby("subject")[["dataset", *labels]].first()
        self.tables = {
            task: people if isinstance(label, PersonLabel) else validation for task, label in labels.items()
        }
        self.averages = nn.ModuleDict(
            {task: Averages(len(self.tables[task]), self._width(task)) for task in labels}
        )

    def _width(self, task: str) -> int:
        count = len(self.classes.get(task, ()))
        return count if count > 2 else 1

    def clear(self) -> None:
        """Forget all predictions."""
        for averages in self.averages.values():
            averages.clear()  # type: ignore[operator]

    def add(self, batch: Mapping[str, Tensor], predictions: Mapping[str, Tensor]) -> None:
        """Take in each task's predictions for windows with their ``subject`` and ``row`` (batch,)."""
        for task, label in self.labels.items():
            values = predictions[task]
            if task in self.classes:
                values = values.softmax(dim=-1) if values.ndim > 1 else values.sigmoid()
            code = batch["subject" if isinstance(label, PersonLabel) else "row"]
            averages = self.averages[task]
            assert isinstance(averages, Averages)
            averages.add(code, values.reshape(len(values), -1))

    def metrics(self) -> dict[str, float]:
        """Errors in the labels' units, over the windows of all ranks: ``<task>/<dataset>/<metric>``.

        Numbers have ``mae``, ``mae_floor`` (of the dataset's training mean) and ``r``; classes have
        ``balanced_accuracy``. By dataset, since telling the datasets apart already tells children from
        adults. What a dataset's people leave undefined is left out.
        """
        values: dict[str, float] = {}
        for task, table in self.tables.items():
            averages = self.averages[task]
            assert isinstance(averages, Averages)
            seen, mean = averages.means()
            for dataset in sorted(table["dataset"].unique()):
                known = (seen & table[task].notna() & (table["dataset"] == dataset)).to_numpy()
                truth, guess = table.loc[known, task].to_numpy(float), mean[known]
                scores = self._scores(task, str(dataset), truth, guess) if len(truth) else {}
                values |= {f"{task}/{dataset}/{name}": score for name, score in scores.items()}
        return values

    def _scores(self, task: str, dataset: str, truth: np.ndarray, guess: np.ndarray) -> dict[str, float]:
        if task in self.classes:
            decided = guess.argmax(axis=1) if guess.shape[1] > 1 else guess[:, 0] > 0.5
            there = np.unique(truth)
            if len(there) < 2:
                return {}
            return {
                "balanced_accuracy": float(np.mean([(decided[truth == one] == one).mean() for one in there]))
            }
        guess = self.scales[task].restore(guess[:, 0])
        scores = {"mae": float(np.abs(truth - guess).mean())}
        if dataset in self.means[task]:
            scores["mae_floor"] = float(np.abs(truth - self.means[task][dataset]).mean())
        if len(truth) > 2 and truth.std() > 0 and guess.std() > 0:
            scores["r"] = float(np.corrcoef(truth, guess)[0, 1])
        return scores
