"""Find EEG that lies in two files of one subject, by what the files hold.

HBN's files are cut from one continuous session. Many go on into the next task, whose own file then holds the
same samples again: in releases 1 and 2 half of the contrast change files of run 2 hold run 3 as well, others
a movie, and surround suppression's run 2 holds the whole of ThePresent. All events of the common stretch lie
at the same distance from each other in both files, to the sample, which no two stretches of a session do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from cerebro.recordings.events import BREAKS

MARKERS = (
    r"contrastChangeB\d_start|surroundSuppB\d_start|video_start|seqLearning_start|symbolSearch_start"
    r"|resting_start"
)
"""Events that open a task: a stretch that two files share is recognised from one of them."""

TOLERANCE_SECONDS = 0.0015
"""Onsets are rounded to 1 ms: times of one sample in two files differ by no more."""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A recording's name, its events and its duration in s."""

    name: str
    events: pd.DataFrame
    duration: float


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A stretch of a recording, in s of its own time, that another recording of the subject holds too."""

    recording: str
    start: float
    stop: float
    kept_in: str
    """The recording whose copy is kept."""


def find_copies(recordings: Sequence[Timed]) -> list[Copy]:
    """Find the EEG that two recordings of one subject share, and say which of the two keeps it.

    Two recordings share a stretch if an event that opens a task, moved from one onto the other, makes all
    their events agree as long as both last: the same codes at the same times, the recorder's own marks left
    aside, at least two events. The recording that starts later in the session keeps the stretch: it is the
    one that was cut out for this task, and since the start in the session is an order, some copy of every
    moment is kept, however many files share it.

    Parameters
    ----------
    recordings
        All recordings of one subject.
    """
    traces = [_trace(recording) for recording in recordings]
    copies = []
    for first, second in combinations(traces, 2):
        shift = _shift(first, second)
        if shift is None:
            continue
        # Positive: the second starts later in the session. Equal starts: the second keeps it.
        earlier, later, lead = (first, second, shift) if shift >= 0 else (second, first, -shift)
        stop = min(earlier.duration, later.duration + lead)
        copies.append(Copy(recording=earlier.name, start=lead, stop=stop, kept_in=later.name))
    return copies


@dataclass(frozen=True)
class _Trace:
    """Events of a recording without the recorder's marks, by time and code."""

    name: str
    duration: float
    times: np.ndarray
    codes: np.ndarray
    openings: tuple[tuple[str, float], ...]


def _trace(recording: Timed) -> _Trace:
    events = recording.events[~recording.events["value"].isin(BREAKS)]
    # Codes as the recorder wrote them, since a file decodes foreign ones by its own task; else values.
    codes = events["code"].where(events["code"] != "", events["value"]).to_numpy(dtype=str)
    times = events["onset"].to_numpy(float)
    opening = events["value"].astype(str).str.fullmatch(MARKERS).to_numpy(bool)
    order = np.lexsort((codes, np.round(times, 3)))
    return _Trace(
        name=recording.name,
        duration=recording.duration,
        times=times[order],
        codes=codes[order],
        openings=tuple(zip(codes[opening].tolist(), times[opening].tolist(), strict=True)),
    )


def _shift(first: _Trace, second: _Trace) -> float | None:
    """Seconds from the start of the first to the start of the second, None if they share nothing."""
    shifts = {
        round(onset - other_onset, 3)
        for code, onset in first.openings
        for other_code, other_onset in second.openings
        if code == other_code
    }
    return next((shift for shift in sorted(shifts) if _agree(first, second, shift)), None)


def _agree(first: _Trace, second: _Trace, shift: float) -> bool:
    begin, end = max(0.0, shift), min(first.duration, second.duration + shift)
    times, codes = _between(first, 0.0, begin, end)
    others, other_codes = _between(second, shift, begin, end)
    return (
        len(times) == len(others) >= 2
        and bool((codes == other_codes).all())
        and bool((np.abs(times - others) <= TOLERANCE_SECONDS).all())
    )


def _between(trace: _Trace, shift: float, begin: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Times and codes of the events of a stretch without those on its very ends, which cuts lose."""
    times = trace.times + shift
    inside = (times > begin + TOLERANCE_SECONDS) & (times < end - TOLERANCE_SECONDS)
    return times[inside], trace.codes[inside]
