"""The resting state: when the eyes were open and when closed."""

import numpy as np
import pandas as pd

from cerebro.recordings.same_eeg import MARKERS

EYES = {"instructed_toOpenEyes": ("open", 20.0), "instructed_toCloseEyes": ("closed", 40.0)}
"""Instructions of the resting state: state of the eyes, and how long it lasts in HBN, in s."""

NOMINAL = "without an end, taken to last HBN's 20 or 40 s"
CUT_BY_NEXT = "cut by the next instruction"
CUT_BY_RECORDING = "cut by the end of their recording"
BEYOND = "that begin behind the end of their recording"

_COLUMNS = ["start", "stop", "eyes", "note"]


def eyes_intervals(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Intervals of the resting state with eyes open or closed.

    An interval begins with its instruction. It ends where the table says: after its own duration, or, where
    it has none, with the next event. An event that opens another task shows that this one is over, but not
    when its last interval was: before it, as before the end of the recording, an interval without an end
    lasts HBN's nominal 20 s (open) or 40 s (closed) at most.

    Returns
    -------
    pandas.DataFrame
        Columns ``start``, ``stop`` (s, within the recording), ``eyes`` (``open``, ``closed``), and ``note``:
        what was assumed or cut, empty where nothing was. An interval behind the end of the recording has no
        length.
    """
    onset, stated = events["onset"].to_numpy(float), events["duration"].to_numpy(float)
    instructs = events["value"].isin(list(EYES)).to_numpy(bool)
    opens = events["value"].astype(str).str.fullmatch(MARKERS).to_numpy(bool)
    rows = []
    for index in np.flatnonzero(instructs):
        eyes, nominal = EYES[events["value"].iloc[index]]
        following = onset[index + 1] if index + 1 < len(onset) else np.inf
        instructed = min(onset[index + 1 :][instructs[index + 1 :]], default=np.inf)
        ended = np.isfinite(following) and not opens[index + 1]
        note = ""
        if np.isfinite(stated[index]):
            stop = onset[index] + stated[index]
            if stop > instructed:
                stop, note = instructed, CUT_BY_NEXT
        elif ended:
            stop = following
        else:
            stop, note = min(onset[index] + nominal, following), NOMINAL
        if onset[index] >= duration:
            note = BEYOND
        elif stop > duration and note != NOMINAL:
            note = CUT_BY_RECORDING
        rows.append((min(onset[index], duration), min(stop, duration), eyes, note))
    return pd.DataFrame(rows, columns=_COLUMNS).astype({"start": float, "stop": float})
