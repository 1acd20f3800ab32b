"""What is probed: which windows, which label, in what linear form, who is the unit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

WindowSet = Literal["fixed", "eyes", "trial", "movie"]
"""Kinds of windows of the index that are probed; see :mod:`cerebro.evaluation.window_sets`."""


@dataclass(frozen=True)
class Target:
    """One probe.

    Parameters
    ----------
    windows : str
        Set of windows whose features are used.
    label : str
        Column of the window index.
    form : {'regression', 'classification', 'moment', 'identity'}
        See :mod:`cerebro.evaluation.forms`.
    unit : {'window', 'subject'}
        What one sample of the fit and of the score is. ``subject`` averages the features of a subject's
        windows first. That is the sounder choice for a trait: one person has one age, so the number of
        people, not of windows, decides how much can be fitted, and the penalty is chosen at that noise
        level. For a linear model the average of its window predictions equals its prediction from average
        features, so nothing else is given up.
    metric : str
        The leading metric.
    """

    windows: WindowSet
    label: str
    form: Literal["regression", "classification", "moment", "identity"]
    unit: Literal["window", "subject"]
    metric: str


TARGETS: Mapping[str, Target] = {
    "reaction_time": Target("trial", "reaction_time", "regression", "window", "nrmse"),
    "age": Target("fixed", "age", "regression", "subject", "nrmse"),
    "sex": Target("fixed", "sex", "classification", "subject", "balanced_accuracy"),
    "p_factor": Target("fixed", "p_factor", "regression", "subject", "nrmse"),
    "attention": Target("fixed", "attention", "regression", "subject", "nrmse"),
    "internalizing": Target("fixed", "internalizing", "regression", "subject", "nrmse"),
    "externalizing": Target("fixed", "externalizing", "regression", "subject", "nrmse"),
    "eyes": Target("eyes", "eyes", "classification", "window", "balanced_accuracy"),
    "task": Target("fixed", "task", "classification", "window", "balanced_accuracy"),
    "movie_moment": Target("movie", "movie_time", "moment", "window", "rank"),
    "identity": Target("fixed", "subject", "identity", "window", "accuracy"),
}
"""Targets by their name in the configuration."""


def needed_sets(targets: tuple[str, ...]) -> list[WindowSet]:
    """The sets of windows that targets are probed on, in the order in which they are first needed."""
    return list(dict.fromkeys(TARGETS[name].windows for name in targets))
