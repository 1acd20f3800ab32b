"""What is probed: which windows, which label, in what linear form, who is the unit; all by declaration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cerebro.config import FIXED, IDENTITY, AnyLabel, MomentLabel, PersonLabel, kind_of_windows

Form = Literal["regression", "classification", "moment", "identity"]

METRICS: Mapping[Form, str] = {
    "regression": "nrmse",
    "classification": "balanced_accuracy",
    "moment": "rank",
    "identity": "accuracy",
}
"""The leading metric of each form."""


@dataclass(frozen=True)
class Target:
    """One probe.

    Parameters
    ----------
    windows : str
        Kind of windows whose features are used.
    label : str
        Column of the window index.
    form : {'regression', 'classification', 'moment', 'identity'}
        See :mod:`cerebro.probes.forms`.
    unit : {'window', 'subject'}
        What one sample of the fit and of the score is. ``subject`` averages the features of a subject's
        windows first. That is the sounder choice for a trait: one person has one age, so the number of
        people, not of windows, decides how much can be fitted, and the penalty is chosen at that noise
        level. For a linear model the average of its window predictions equals its prediction from average
        features, so nothing else is given up.
    declared : label, optional
        The declaration; the question who it is has none.
    """

    windows: str
    label: str
    form: Form
    unit: Literal["window", "subject"]
    declared: AnyLabel | None = None

    @property
    def metric(self) -> str:
        """The leading metric."""
        return METRICS[self.form]

    @staticmethod
    def of(name: str, label: AnyLabel) -> "Target":
        """The probe of a declared label."""
        form: Form = "classification" if label.is_class else "regression"
        if isinstance(label, MomentLabel):
            form = "moment"
        unit: Literal["window", "subject"] = "subject" if isinstance(label, PersonLabel) else "window"
        return Target(kind_of_windows(name, label), name, form, unit, label)


def probe_targets(names: Sequence[str], labels: Mapping[str, AnyLabel]) -> dict[str, Target]:
    """Probes by name: those asked for, or of all labels and of who it is where none is."""
    identity = Target(FIXED, "subject", "identity", "window")
    return {
        name: identity if name == IDENTITY else Target.of(name, labels[name])
        for name in names or (*labels, IDENTITY)
    }


def needed_sets(names: Sequence[str], labels: Mapping[str, AnyLabel]) -> list[str]:
    """Kinds of windows that probes need, in the order in which they are first needed."""
    return list(dict.fromkeys(target.windows for target in probe_targets(names, labels).values()))
