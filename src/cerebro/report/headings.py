"""How labels and their metrics are called in tables and figures."""

METRICS = {
    "nrmse": "NRMSE",
    "mae": "MAE",
    "auc": "AUC",
    "balanced_accuracy": "bal. acc.",
}
"""Metrics that are called otherwise than they are named."""


def name(label: str) -> str:
    """A declared label, or identity, as readers see it."""
    return label.replace("_", " ")


def heading(label: str, metric: str, *, separator: str = "\n") -> str:
    """A label and the metric that is shown."""
    return f"{name(label)}{separator}{METRICS.get(metric, name(metric))}"
