"""Which events a label of intervals, events or moments holds for, from when to when."""

from collections import Counter

import numpy as np
import pandas as pd

from cerebro.config import EventLabel, IntervalLabel, MomentLabel, TimedLabel
from cerebro.recordings.events import text_of
from cerebro.shards.labels import column_values, plain

_MICROSECONDS = 6
"""Decimals of ends: a begin plus a duration, so that it is the number that a table would have written."""


def labelled(events: pd.DataFrame, name: str, label: TimedLabel, notes: Counter[str]) -> pd.DataFrame:
    """Return the events for which a label is known, with their ``value`` under it.

    Parameters
    ----------
    events
        What :func:`cerebro.recordings.events.complete_events` or a reader's ``interpret_events`` returns.
    name, label
        The label.
    notes
        Counts events whose value can't be taken; added to.

    Returns
    -------
    pandas.DataFrame
        ``onset``, ``duration`` (s, NaN where none), ``event`` (what the event is called) and ``value``.
    """
    if isinstance(label, EventLabel):
        events = events[_is_at(events, label.at)]
    # That other events are of no class of an interval is no fault.
    counted = notes if isinstance(label, EventLabel) or not label.is_class else Counter()
    values = column_values(text_of(events, label.column), name, label, counted)
    found = events[["onset", "duration"]].assign(event=events["value"], value=values)
    known = found["value"] != "" if label.is_class else found["value"].notna()
    return found[known]


def _is_at(events: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Events of these names, by `value` or else `trial_type`; case matters only where it tells two apart."""
    value, kind = events["value"].astype(str), text_of(events, "trial_type").fillna("").astype(str)
    found = np.zeros(len(events), dtype=bool)
    for name in names:
        own = ((value == name) | (kind == name)).to_numpy(bool)
        if not own.any():
            own = ((value.map(plain) == plain(name)) | (kind.map(plain) == plain(name))).to_numpy(bool)
        found |= own
    return found


def intervals(
    found: pd.DataFrame,
    name: str,
    label: IntervalLabel | MomentLabel,
    *,
    duration: float,
    notes: Counter[str],
) -> pd.DataFrame:
    """Give labelled events their ``start`` and ``stop`` (s), inside the recording.

    An event without a duration lasts until the next one that has the label, or the end of the recording.
    States do not overlap: one that lasts longer ends where the next begins. What was assumed or cut is
    counted.

    Parameters
    ----------
    found
        What :func:`labelled` returned, sorted by onset.
    name, label
        The label.
    duration
        Length of the recording in s.
    notes
        Counts what was assumed and cut; added to.
    """
    start, lasts = found["onset"].to_numpy(float), found["duration"].to_numpy(float)
    following = _following(start, duration)
    endless = ~np.isfinite(lasts)
    stop = np.round(np.where(endless, following, start + lasts), _MICROSECONDS)
    beyond = start >= duration
    cut = np.zeros(len(found), dtype=bool)
    if isinstance(label, IntervalLabel):
        cut = ~endless & ~beyond & (stop > np.round(following, _MICROSECONDS)) & (following < duration)
        stop = np.where(cut, following, stop)
    late = ~beyond & ~endless & (stop > duration)
    for what, which in (
        ("that begin behind the end of their recording", beyond),
        ("without a duration, taken to last until the next one", endless & ~beyond),
        ("cut by the next one", cut),
        ("cut by the end of their recording", late),
    ):
        notes[f"{name} intervals {what}"] += int(which.sum())
    return found.assign(start=start, stop=np.minimum(stop, duration))[~beyond]


def _following(start: np.ndarray, duration: float) -> np.ndarray:
    """When the next interval begins that begins later: two of one moment are no end of each other."""
    after = np.searchsorted(start, start, side="right")
    return np.append(start, duration)[after]


def seen_values(events: pd.DataFrame, label: TimedLabel) -> Counter[str]:
    """Count what stands where a label looks: names of events, or values in its column at its own events."""
    if isinstance(label, EventLabel):
        at = _is_at(events, label.at)
        if not at.any():
            return Counter(events["value"].astype(str))
        events = events[at]
    return Counter(map(str, text_of(events, label.column).dropna()))
