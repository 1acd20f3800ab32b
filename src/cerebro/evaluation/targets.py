"""What is probed: which windows, which label, who is the unit, which metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cerebro.evaluation.metrics import Metric, auc, balanced_accuracy, mae, nrmse, pearson_r, r2

REGRESSION: Mapping[str, Metric] = {"nrmse": nrmse, "mae": mae, "r": pearson_r, "r2": r2}
CLASSIFICATION: Mapping[str, Metric] = {"balanced_accuracy": balanced_accuracy, "auc": auc}


@dataclass(frozen=True)
class Target:
    """One probe.

    Parameters
    ----------
    windows : str
        Kind of window in the index.
    label : str
        Column of the index.
    task : {'regression', 'classification'}
    unit : {'window', 'subject'}
        What one sample of the fit and of the score is. ``subject`` averages the features of a subject's
        windows first. That is the sounder choice for a trait: one person has one age, so the number of
        people, not of windows, decides how much can be fitted, and the penalty is chosen at that noise
        level. For a linear model the average of its window predictions equals its prediction from average
        features, so nothing else is given up.
    classes : tuple of str, optional
        Text values of the label that become 0 and 1.
    by_subject : bool
        Report the average prediction per subject as well (metrics named ``subject_...``).
    """

    windows: str
    label: str
    task: Literal["regression", "classification"]
    unit: Literal["window", "subject"]
    classes: tuple[str, str] | None = None
    by_subject: bool = False

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Metrics by name, the leading one first."""
        return REGRESSION if self.task == "regression" else CLASSIFICATION


TARGETS: Mapping[str, Target] = {
    "reaction_time": Target("trial", "reaction_time", "regression", "window"),
    # A trait, but Challenge 2 scores its windows one by one: fitted as it is scored.
    "externalizing": Target("crop", "externalizing", "regression", "window", by_subject=True),
    "age": Target("fixed", "age", "regression", "subject"),
    "sex": Target("fixed", "sex", "classification", "subject"),
    "eyes": Target("eyes", "eyes", "classification", "window", classes=("open", "closed")),
}
"""Targets by their name in the configuration."""
