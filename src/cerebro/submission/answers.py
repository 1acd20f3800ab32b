"""The windows that the challenges ask about, and what a node answers on them: one file per split and node."""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.config import TARGET_KINDS, Target
from cerebro.data.selection import select_windows
from cerebro.files import atomic_path

AnswerSplit = Literal["validation", "test"]
"""Whose windows are answered: those of the held-out releases are scored, those of validation subjects say how
much each member of an ensemble counts."""


def challenge_rows(index: pd.DataFrame, target: Target, split: AnswerSplit, *, purpose: str) -> pd.DataFrame:
    """Rows of the window index that the challenge of a target asks about, in its order.

    Raises
    ------
    UserError
        When there are none; ``purpose`` says what for.
    """
    return select_windows(index, kind=TARGET_KINDS[target], splits=[split], label=target, purpose=purpose)


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
    columns = ["window", "subject", "recording", "onset"]
    frame = rows[columns].assign(
        truth=rows[target].astype(float),
        prediction=answers,
        unshrunk=answers if unshrunk is None else unshrunk,
    )
    with atomic_path(output) as temporary:
        frame.to_parquet(temporary, index=False)
