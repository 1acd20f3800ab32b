"""How targets of probes and their metrics are called in tables and figures."""

from cerebro.evaluation.targets import TARGETS

METRICS = {
    "nrmse": "NRMSE",
    "mae": "MAE, years",
    "r": "r",
    "balanced_accuracy": "bal. acc.",
    "rank": "rank",
    "accuracy": "accuracy",
}
NAMES = {
    "age": "age",
    "sex": "sex",
    "p_factor": "p factor",
    "attention": "attention",
    "internalizing": "internalizing",
    "externalizing": "externalizing",
    "reaction_time": "reaction time",
    "eyes": "eyes",
    "task": "task",
    "movie_moment": "film moment",
    "identity": "identity",
}
"""Targets in the order in which tables and figures show them: the person first, then the moment."""


def heading(target: str, metric: str | None = None, *, separator: str = "\n") -> str:
    """A target and the metric that is shown, its leading one if none is given."""
    return f"{NAMES[target]}{separator}{METRICS[metric or TARGETS[target].metric]}"
