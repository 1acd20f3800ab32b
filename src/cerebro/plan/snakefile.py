"""Small parts of the Snakefile: names as patterns, and mistakes that are noticed while jobs are planned."""

import re
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from cerebro.errors import UserError

Result = TypeVar("Result")


def one_of(names: Iterable[str]) -> str:
    """Return a regular expression that matches these names and nothing else: a dot is a dot."""
    return "|".join(map(re.escape, names))


def or_stop(step: Callable[[], Result]) -> Result:
    """Return the result of a step; a mistake of the user ends everything with one sentence."""
    try:
        return step()
    except UserError as error:
        sys.exit(f"cerebro: {error}")
