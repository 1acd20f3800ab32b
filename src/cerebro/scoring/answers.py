"""The windows that a phase of Phase 3 is asked about, and its answers: one file per split and node."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.config import CHALLENGES, AnyLabel, BaselinePhase, FinetunePhase
from cerebro.data.phase_windows import target_windows
from cerebro.data.selection import select_windows
from cerebro.files import atomic_path

AnswerSplit = Literal["validation", "test"]
"""Whose windows are answered: those of test people are scored, those of validation people say how much each
member of an ensemble counts, and are scored where there are no test people."""


def answered_rows(
    index: pd.DataFrame,
    phase: FinetunePhase | BaselinePhase,
    labels: Mapping[str, AnyLabel],
    split: AnswerSplit,
    *,
    purpose: str,
) -> pd.DataFrame:
    """Rows of the window index that a phase answers, in its order; classes of the target as codes.

    Raises
    ------
    UserError
        When there are none; ``purpose`` says what for.
    """
    return target_windows(index, phase, labels, splits=[split], purpose=purpose)


def challenge_rows(index: pd.DataFrame, target: str, split: AnswerSplit, *, purpose: str) -> pd.DataFrame:
    """Rows of the window index that the challenge of a target asks about, in its order.

    Raises
    ------
    UserError
        When there are none; ``purpose`` says what for.
    """
    kind = next(asked.kind for asked in CHALLENGES.values() if asked.target == target)
    return select_windows(index, kind=kind, splits=[split], label=target, purpose=purpose)


def write_answers(
    rows: pd.DataFrame,
    target: str,
    answers: NDArray[np.float64],
    *,
    unshrunk: NDArray[np.float64] | None = None,
    output: Path,
) -> None:
    """Write parquet, one row per window.

    Its columns: ``window``, ``subject``, ``recording``, ``onset`` (s), ``truth``, ``prediction``,
    ``unshrunk``: the same without shrinkage, and the prediction itself of what has none.
    """
    _write(rows, target, output, prediction=answers, unshrunk=answers if unshrunk is None else unshrunk)


def write_classes(
    rows: pd.DataFrame,
    target: str,
    probabilities: NDArray[np.float64],
    *,
    classes: Sequence[str],
    output: Path,
) -> None:
    """Write parquet, one row per window, as :func:`write_answers` does for numbers.

    ``truth`` and ``prediction`` are codes of classes; instead of ``unshrunk`` there is a column ``p:<class>``
    with the probability of each.
    """
    named = {f"p:{name}": probabilities[:, code] for code, name in enumerate(classes)}
    _write(rows, target, output, prediction=probabilities.argmax(axis=1).astype(float), **named)


def _write(rows: pd.DataFrame, target: str, output: Path, **columns: NDArray[np.float64]) -> None:
    described = rows[["window", "subject", "recording", "onset"]]
    frame = described.assign(truth=rows[target].astype(float), **columns)
    with atomic_path(output) as temporary:
        frame.to_parquet(temporary, index=False)
