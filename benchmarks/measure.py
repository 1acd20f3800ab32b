"""Timing of cases that do the same work, turn by turn, and the table of what came out."""

import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from time import perf_counter
from typing import Literal

LEAST_ROUNDS = 3
LEAST_SECONDS = 0.03
"""A case that is done sooner is run several times in a row; their mean is one measurement."""


@dataclass(frozen=True)
class Case:
    """One way of doing the work of a table."""

    role: Literal["ours", "rival", "limit"]
    """`rival`: what one would otherwise use; `limit`: a part of the work that nobody can do without."""
    what: str
    run: Callable[[], object]


Tables = dict[str, list[Case]]
"""Cases by the title of their table; the one that the others are compared with stands first."""


def measure(cases: Sequence[Case], seconds: float) -> list[list[float]]:
    """Seconds that each case takes, in each round.

    A round times every case once, so that a slow moment of the machine meets them all. After one run of each
    to warm up, rounds go on for ``seconds`` and are at least three; with 0 there is one and no warming up.
    """
    least = LEAST_ROUNDS if seconds else 1
    repeats = [math.ceil(LEAST_SECONDS / _time(case, 1)) if seconds else 1 for case in cases]
    rounds: list[list[float]] = []
    start = perf_counter()
    while len(rounds) < least or perf_counter() - start < seconds:
        rounds.append([_time(case, n) for case, n in zip(cases, repeats, strict=True)])
    return [list(times) for times in zip(*rounds, strict=True)]


def _time(case: Case, repeats: int) -> float:
    start = perf_counter()
    for _ in range(repeats):
        case.run()
    return (perf_counter() - start) / repeats


def table(cases: Sequence[Case], times: Sequence[Sequence[float]]) -> str:
    """Markdown: medians over rounds, with the least and the greatest; as times and as shares of the first."""
    lines = ["| | | time | of the first row's |", "|---|---|---|---|"]
    for case, own in zip(cases, times, strict=True):
        factor, unit = (1, "s") if max(own) >= 1 else (1000, "ms")
        ratios = [mine / first for mine, first in zip(own, times[0], strict=True)]
        ratio = "1" if case is cases[0] else _spread(ratios)
        lines.append(f"| {case.role} | {case.what} | {_spread([factor * t for t in own])} {unit} | {ratio} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.3g} [{min(values):.3g}, {max(values):.3g}]"


def machine() -> str:
    """What is measured on, in a sentence."""
    import torch

    gpu = "a GPU that is not used" if torch.cuda.is_available() else "no GPU"
    named = ", ".join(f"{name} {version(name)}" for name in ("torch", "mne", "braindecode", "snakemake"))
    hardware = f"{os.cpu_count()} cores ({platform.machine()}), {gpu}, one thread"
    return f"{hardware}; Python {platform.python_version()}, {named}."
