"""Conditions of the tasks that the challenge doesn't score: what was shown, and whether the answer was right.

Each function returns intervals of a recording in which one condition holds: ``start``, ``stop`` (s),
``condition`` (empty where the table doesn't say) and ``correct`` (1 right, 0 wrong, NaN unknown).
"""

import numpy as np
import pandas as pd

from cerebro.recordings.events import text_of

STIMULUS_SECONDS = 2.4
"""Surround suppression: a stimulus whose row has no `duration` stays for 2.4 s, as all do in HBN."""

_COLUMNS = ["start", "stop", "condition", "correct"]


def surround_stimuli(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Stimuli of surround suppression, from ``stim_ON`` for their duration, or up to the next event.

    The condition names the background (0, 1), the contrast of the foreground (0, 0.3, 0.6, 1) and the
    arrangement (1 opposite phase, 2 in phase, 3 orthogonal): ``bg1_fg0.3_cond2``.
    """
    onset, rows = events["onset"].to_numpy(float), []
    shown = [text_of(events, name) for name in ("background", "foreground_contrast", "stimulus_cond")]
    for index in np.flatnonzero(events["value"] == "stim_ON"):
        event = events.iloc[index]
        parts = [_number(column.iloc[index]) for column in shown]
        condition = "bg{}_fg{}_cond{}".format(*parts) if all(parts) else ""
        following = onset[onset > onset[index]]
        seconds = event["duration"] if np.isfinite(event["duration"]) else STIMULUS_SECONDS
        stop = min(onset[index] + seconds, min(following, default=np.inf))
        rows.append((onset[index], stop, condition, np.nan))
    return _within(rows, duration)


def learning_blocks(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Blocks of sequence learning, from ``learningBlock_n`` to the last dot shown in it.

    The subject repeats the sequence after the dots; the answer stands in the last dot's row. ``correct`` is
    the share of positions that were repeated right.
    """
    events = _with_answers(events)
    onset, value = events["onset"].to_numpy(float), events["value"].astype(str)
    begins = np.flatnonzero(value.str.fullmatch(r"learningBlock_\d+"))
    closes = np.flatnonzero(value == "seqLearning_stop")
    is_off = value.str.fullmatch(r"dot_no\d+_OFF").to_numpy(bool)
    rows = []
    for begin in begins:
        end = min([*begins[begins > begin], *closes[closes > begin], len(events)])
        block = slice(begin, end)
        dots = onset[block][is_off[block]]
        if len(dots):
            answered = events[block].dropna(subset=["user_answer", "correct_answer"])
            correct = _share_right(answered.iloc[-1]) if len(answered) else np.nan
            rows.append(
                (onset[begin], dots[-1], f"block{value[begin].removeprefix('learningBlock_')}", correct)
            )
    return _within(rows, duration)


def symbol_trials(events: pd.DataFrame, *, duration: float) -> pd.DataFrame:
    """Trials of symbol search, from the page or the answer before to the answer.

    The condition says whether the symbol was there: ``present`` or ``absent``.
    """
    own = _with_answers(events[events["value"].isin(["newPage", "trialResponse"])])
    onset, rows = own["onset"].to_numpy(float), []
    for index in np.flatnonzero(own["value"] == "trialResponse"):
        if index == 0:  # nobody knows when its search began
            continue
        event = own.iloc[index]
        truth, answer = _number(event["correct_answer"]), _number(event["user_answer"])
        condition = {"1": "present", "0": "absent"}.get(truth, "")
        correct = float(truth == answer) if condition and answer else np.nan
        rows.append((onset[index - 1], onset[index], condition, correct))
    return _within(rows, duration)


def _with_answers(events: pd.DataFrame) -> pd.DataFrame:
    return events.assign(**{name: text_of(events, name) for name in ("user_answer", "correct_answer")})


def _within(rows: list[tuple[float, float, str, float]], duration: float) -> pd.DataFrame:
    inside = [(start, min(stop, duration), *rest) for start, stop, *rest in rows if 0 <= start < duration]
    return pd.DataFrame(inside, columns=_COLUMNS).astype({"start": float, "stop": float, "correct": float})


def _number(text: object) -> str:
    """Write a number in its shortest form (``1.0`` as ``1``); empty where there is none."""
    try:
        number = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    return f"{number:g}" if np.isfinite(number) else ""


def _share_right(event: pd.Series) -> float:
    given, right = str(event["user_answer"]).split("-"), str(event["correct_answer"]).split("-")
    return sum(a == b for a, b in zip(given, right, strict=False)) / len(right)
