"""Numbers as the cells of a table show them."""

from collections.abc import Mapping
from typing import Any

ABSENT = "-"
CONSTANT = "constant"
"""In place of a difference of two constants, and of a correlation; below the score of a constant."""
NO_INTERVAL = "A score without an interval rests on too few subjects for one."


def interval(score: Mapping[str, Any] | None, *, clear: bool = False, digits: int = 3) -> str:
    """A value of three digits above its interval."""
    if score is None or score["value"] is None:
        return ABSENT
    value = number(score["value"]) + "*" * clear
    if score["low"] is None:
        return value
    return f"{value}\n[{number(score['low'], digits)}, {number(score['high'], digits)}]"


def difference(score: Mapping[str, Any] | None, *, clear: bool = False, form: str = ".3f") -> str:
    """A value with its sign above its interval; what is 0 has none, and no width is no interval."""
    if score is None or score["value"] is None:
        return ABSENT
    value, low, high = (score[end] for end in ("value", "low", "high"))
    shown = _signed(value, form) + "*" * clear
    return (
        shown
        if low is None or low == high == 0
        else f"{shown}\n[{_signed(low, form)}, {_signed(high, form)}]"
    )


def number(value: float | None, digits: int = 3) -> str:
    """Three digits, without a sign of what rounds to 0, or a dash for what is not there."""
    return ABSENT if value is None else f"{value:z.{digits}f}"


def _signed(value: float, form: str) -> str:
    return f"{value:+{form}}" if value else f"{0:{form}}"
