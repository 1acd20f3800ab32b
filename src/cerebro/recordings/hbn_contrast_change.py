"""Contrast change detection: its trials as the challenge scores them, and the blocks that a file holds."""

import numpy as np
import pandas as pd

from cerebro.recordings.events import text_of

_BLOCK = r"contrastChangeB(\d)_start"


def contrast_change_trials(events: pd.DataFrame) -> pd.DataFrame:
    """Trials of contrast change detection by the rule that the challenge's scorer uses.

    A trial lasts from its start to the next start; the last start counts only if ``end_experiment`` follows.
    Its stimulus is the first target in it, its response the first press at or after the stimulus.

    Parameters
    ----------
    events
        What :func:`cerebro.recordings.events.read_events` returns.

    Returns
    -------
    pandas.DataFrame
        One row per trial, in the columns of ``eegdash.hbn.windows.build_trial_table``, the reference
        implementation: ``trial_start_onset``, ``trial_stop_onset``, ``stimulus_onset``, ``response_onset``,
        ``rt_from_stimulus``, ``rt_from_trialstart`` (s, NaN where none), ``response_type`` and ``correct``
        (None where none); then ``side`` of the target (``left``, ``right``, empty where none). Without a
        trial it has no row, where the reference's annotations raise a KeyError.
    """
    onset, value = events["onset"].to_numpy(float), events["value"]
    starts = onset[value == "contrastTrial_start"]
    stops = starts[1:]
    ends = onset[value == "end_experiment"]
    if len(starts) and len(ends) and ends[-1] > starts[-1]:
        stops = np.append(stops, ends[-1])
    starts = starts[: len(stops)]
    targets = events[value.isin(["left_target", "right_target"])]
    presses = events.assign(feedback=text_of(events, "feedback"))
    presses = presses[value.isin(["left_buttonPress", "right_buttonPress"])]
    stimulus, shown = _first_within(targets["onset"].to_numpy(float), starts, stops)
    response, which = _first_within(
        presses["onset"].to_numpy(float), np.where(np.isnan(stimulus), starts, stimulus), stops
    )
    pressed = [presses.iloc[index] if index >= 0 else None for index in which]
    verdict = {"smiley_face": True, "sad_face": False}
    return pd.DataFrame(
        {
            "trial_start_onset": starts,
            "trial_stop_onset": stops,
            "stimulus_onset": stimulus,
            "response_onset": response,
            "rt_from_stimulus": response - stimulus,
            "rt_from_trialstart": response - starts,
            "response_type": [None if press is None else press["value"] for press in pressed],
            "correct": [None if press is None else verdict.get(press["feedback"]) for press in pressed],
            "side": [
                targets["value"].iloc[index].removesuffix("_target") if index >= 0 else "" for index in shown
            ],
        }
    )


def runs_within(events: pd.DataFrame) -> list[str]:
    """Runs whose block starts in this file, in order, by the markers ``contrastChangeB{run}_start``."""
    found = events["value"].astype(str).str.extract(_BLOCK, expand=False)
    return list(dict.fromkeys(found.dropna()))


def _first_within(times: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First of the sorted ``times`` in each [start, stop): its value and index, NaN and -1 where none."""
    index = np.searchsorted(times, starts, side="left")
    padded = np.append(times, np.inf)
    inside = padded[index] < stops
    return np.where(inside, padded[index], np.nan), np.where(inside, index, -1)
