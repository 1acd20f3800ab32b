"""All candidate windows of one recording: the regular grid, and windows of every label of a part of it."""

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cerebro.config import (
    CHALLENGES,
    CROP,
    FIXED,
    AnyLabel,
    EventLabel,
    IntervalLabel,
    MomentLabel,
    TimedLabel,
    Windows,
)
from cerebro.errors import UserError
from cerebro.recordings.events import BREAKS, complete_events, text_of
from cerebro.recordings.readers import events_function, interpret_function
from cerebro.shards import kinds
from cerebro.shards.intervals import intervals, labelled
from cerebro.shards.labels import Value, has_label, recording_values, unknown

BROKEN = "break in the recording"
"""Reason of windows in which the recorder broke off or samples were dropped."""


def recording_events(row: Mapping[str, Any], notes: Counter[str]) -> pd.DataFrame | None:
    """Read the events of a recording by its reader.

    Parameters
    ----------
    row
        Its row of the inventory.
    notes
        Counts recordings whose events are missing or unreadable; added to.

    Returns
    -------
    pandas.DataFrame or None
        What :func:`cerebro.recordings.events.complete_events` returns; None where there are no events.

    Raises
    ------
    UserError
        If the disk or the network does not give the events: nobody would miss the windows.
    """
    read = events_function(row["reader"])
    if read is None:
        return None
    try:
        return complete_events(read(Path(row["path"])), source=row["recording"])
    except FileNotFoundError:
        notes["recordings without events"] += 1
    except OSError as error:
        raise UserError(
            f"the events of {row['path']} can't be read ({error}); running again may help"
        ) from error
    except ValueError as error:
        notes["recordings with unreadable events"] += 1
        warnings.warn(f"{row['recording']}: events unreadable: {error}", stacklevel=2)
    return None


def plain_events(
    row: Mapping[str, Any], events: pd.DataFrame | None, *, duration: float, notes: Counter[str]
) -> pd.DataFrame | None:
    """Return events as labels are declared on them: by the reader's interpretation, or as they are.

    Parameters
    ----------
    row, events, duration, notes
        As for a reader's ``interpret_events``; without events there are none.

    Returns
    -------
    pandas.DataFrame or None
        With the column ``unusable``: why windows of an event are not kept, empty if they are.
    """
    if events is None:
        return None
    interpret = interpret_function(row["reader"])
    if interpret is None:
        return events.assign(unusable="")
    plain = interpret(events, row=row, duration=duration, notes=notes)
    return plain.assign(unusable=text_of(plain, "reason").fillna(""))


def candidates(
    row: Mapping[str, Any],
    events: pd.DataFrame | None,
    *,
    n_times: int,
    sfreq: float,
    windows: Windows,
    labels: Mapping[str, AnyLabel],
    notes: Counter[str],
) -> pd.DataFrame:
    """Return all candidate windows of one recording.

    Parameters
    ----------
    row
        Its row of the inventory.
    events
        Its events, None where there are none.
    n_times, sfreq
        Its length in the shard in samples, the shard's sampling rate in Hz.
    windows
        Lengths and strides.
    labels
        All declared labels.
    notes
        Counts what gave no window and why; added to.

    Returns
    -------
    pandas.DataFrame
        ``kind``, ``start`` and ``length`` (samples), ``stream``, ``moment`` (s), ``reason``, and one column
        for each label.
    """
    size: dict[str, Any] = {"n_times": n_times, "sfreq": sfreq}
    values = recording_values(row, labels, notes)
    length, stride = round(windows.seconds * sfreq), round(windows.stride_seconds * sfreq)
    parts = {FIXED: kinds.fixed_windows(n_times, length=length, stride=stride)}
    inside: dict[str, np.ndarray] = {}
    plain = plain_events(row, events, duration=n_times / sfreq, notes=notes)
    for name, label in labels.items():
        if plain is None or not isinstance(label, TimedLabel) or not has_label(row, label):
            continue
        if (label.tasks and row["task"] not in label.tasks) or label.column not in plain:
            continue
        parts[name], held = _windows_of(name, label, plain, windows, notes, **size)
        if held is not None and isinstance(label, IntervalLabel):
            inside[name] = _values_within(parts[FIXED], held, label, **size)
    if row["task"] in windows.crops:
        target = CHALLENGES[2].target
        if target in values and values[target] != values[target]:
            notes[f"recordings without {target}, which give no window of kind {CROP}"] += 1
        else:
            parts[CROP] = kinds.crop_windows(n_times, sfreq=sfreq)
    frames = []
    unlabelled = {name: unknown(label) for name, label in labels.items()} | values
    for kind, part in parts.items():
        if part.empty and kind != FIXED:
            continue
        frame = part.drop(columns="value", errors="ignore").assign(kind=kind, **unlabelled)
        if "value" in part:
            frame[kind] = part["value"]
        if kind == FIXED:
            frame = frame.assign(**inside)
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    return _mark_breaks(whole, events, **size).drop(columns=["first", "last"])


def _windows_of(
    name: str,
    label: TimedLabel,
    plain: pd.DataFrame,
    windows: Windows,
    notes: Counter[str],
    *,
    n_times: int,
    sfreq: float,
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The windows of a label, and the intervals where it holds for as long as they last."""
    size: dict[str, Any] = {"n_times": n_times, "sfreq": sfreq}
    found = labelled(plain, name, label, notes)
    if isinstance(label, EventLabel):
        cut = kinds.event_windows(found, label, **size)
        notes[f"{name} windows that would lie outside their recording"] += len(found) - len(cut)
        return cut, None
    if not isinstance(label, IntervalLabel | MomentLabel):
        raise TypeError(f"labels.{name}: a label of {type(label).__name__} has no windows")
    held = intervals(found, name, label, duration=n_times / sfreq, notes=notes)
    seconds, settle = windows.seconds, 0.0
    if isinstance(label, IntervalLabel):
        seconds, settle = label.seconds or seconds, label.settle_seconds
    short = held["stop"] - held["start"] - settle < seconds
    notes[f"{name} intervals too short for a window"] += int(short.sum())
    length = round(seconds * sfreq)
    if isinstance(label, IntervalLabel):
        return kinds.interval_windows(held, label, length=length, **size), held
    begin = pd.to_numeric(text_of(plain, label.starts or ""), errors="coerce")
    begin = begin if label.starts else begin.fillna(0.0)
    stretches = held.assign(begin=begin[held.index], reason=plain["unusable"][held.index])
    known = stretches["begin"].notna()
    notes[f"{name} intervals of unknown {label.starts}"] += int((~known).sum())
    return kinds.moment_windows(stretches[known], label, length=length, **size), None


def _values_within(
    fixed: pd.DataFrame, held: pd.DataFrame, label: IntervalLabel, *, n_times: int, sfreq: float
) -> np.ndarray:
    """The label of each window of the regular grid: that of the interval in which it lies wholly."""
    values: list[Value] = [unknown(label)] * len(fixed)
    starts, stops = fixed["start"].to_numpy(), (fixed["start"] + fixed["length"]).to_numpy()
    for start, stop, value in zip(held["start"], held["stop"], held["value"], strict=True):
        first = kinds.sample(start + label.settle_seconds, sfreq)
        last = min(kinds.sample(stop, sfreq), n_times)
        for index in np.flatnonzero((starts >= first) & (stops <= last)):
            values[index] = value
    return np.array(values, dtype=object if label.is_class else np.float64)


def _mark_breaks(
    frame: pd.DataFrame, events: pd.DataFrame | None, *, n_times: int, sfreq: float
) -> pd.DataFrame:
    """Give a reason to windows in which the recorder left a mark, or between which and their event it did."""
    if events is None:
        return frame
    seconds = events.loc[events["value"].isin(BREAKS), "onset"].to_numpy(float)
    marks = np.sort(np.rint(np.clip(seconds * sfreq, 0, n_times)).astype(np.int64))
    before = np.searchsorted(marks, frame["first"].to_numpy(), side="right")
    broken = np.searchsorted(marks, frame["last"].to_numpy(), side="left") > before
    return frame.assign(reason=frame["reason"].mask((frame["reason"] == "") & broken, BROKEN))
