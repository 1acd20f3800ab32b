"""Mistakes of the user that are noticed while jobs are planned."""

import sys
from collections.abc import Callable
from typing import TypeVar

from cerebro.errors import UserError

Result = TypeVar("Result")


def or_stop(step: Callable[[], Result]) -> Result:
    """Return the result of a step; a mistake of the user ends everything with one sentence."""
    try:
        return step()
    except UserError as error:
        sys.exit(f"cerebro: {error}")
