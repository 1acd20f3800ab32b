"""Numbers as the cells of a table show them."""

from collections.abc import Mapping
from typing import Any

ABSENT = "-"
NO_INTERVAL = "A score without an interval rests on too few subjects for one."


def interval(score: Mapping[str, Any] | None, *, clear: bool = False, digits: int = 3) -> str:
    """A value of three digits above its interval."""
    if score is None or score["value"] is None:
        return ABSENT
    value = number(score["value"]) + "*" * clear
    if score["low"] is None:
        return value
    return f"{value}\n[{score['low']:.{digits}f}, {score['high']:.{digits}f}]"


def number(value: float | None) -> str:
    """Three digits, or a dash for what is not there."""
    return ABSENT if value is None else f"{value:.3f}"
