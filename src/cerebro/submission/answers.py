"""The windows that the challenges score, and what a node answers on them: one file per node."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cerebro.data.selection import select_windows
from cerebro.files import atomic_path

CHALLENGES = {1: ("trial", "reaction_time"), 2: ("crop", "externalizing")}
"""Kind of window and label of each challenge."""


def scored_rows(index: pd.DataFrame, target: str, *, purpose: str) -> pd.DataFrame:
    """Rows of the window index that the challenge of a target scores, in its order.

    Raises
    ------
    UserError
        When there are none; ``purpose`` says what for.
    """
    kind = next(kind for kind, label in CHALLENGES.values() if label == target)
    return select_windows(index, kind=kind, splits=["test"], label=target, purpose=purpose)


def write_answers(rows: pd.DataFrame, target: str, answers: NDArray[np.float64], *, output: Path) -> None:
    """Write parquet, one row per window: ``window``, ``subject``, ``truth``, ``prediction``."""
    frame = rows[["window", "subject"]].assign(truth=rows[target].astype(float), prediction=answers)
    with atomic_path(output) as temporary:
        frame.to_parquet(temporary, index=False)
