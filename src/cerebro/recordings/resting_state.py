"""The resting state: when the eyes were open and when closed."""

import numpy as np
import pandas as pd

EYES = {"instructed_toOpenEyes": ("open", 20.0), "instructed_toCloseEyes": ("closed", 40.0)}
"""Instructions of the resting state: state of the eyes and nominal length in s."""


def eyes_intervals(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Intervals of the resting state with eyes open or closed.

    An interval begins with its instruction and ends with the next event of any kind, after its nominal
    20 s (open) or 40 s (closed), or with the recording, whichever is first: the last open interval has no
    end of its own, and foreign events show that the task is over.

    Returns
    -------
    pandas.DataFrame
        Columns ``start``, ``stop`` (s) and ``eyes`` (``open``, ``closed``).
    """
    onset = events["onset"].to_numpy(float)
    rows = []
    for index, value in enumerate(events["value"]):
        if value not in EYES or onset[index] >= duration:
            continue
        eyes, nominal = EYES[value]
        following = onset[index + 1] if index + 1 < len(onset) else np.inf
        rows.append((onset[index], min(onset[index] + nominal, following, duration), eyes))
    return pd.DataFrame(rows, columns=["start", "stop", "eyes"]).astype({"start": float, "stop": float})
