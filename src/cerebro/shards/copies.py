"""The same EEG twice: windows of a stretch that another recording of the subject keeps are not kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cerebro.recordings.same_eeg import Copy, Timed, find_copies


def copies_by_recording(
    timed: Sequence[Timed], rows: Mapping[str, Mapping[str, Any]], notes: Counter[str]
) -> dict[str, list[Copy]]:
    """Find the copies within each subject.

    Parameters
    ----------
    timed
        The recordings of a shard that have events.
    rows
        Their rows of the inventory, by recording.
    notes
        Counts recordings that hold EEG of others; added to.

    Returns
    -------
    dict
        Copies by the recording that doesn't keep them.
    """
    subjects: dict[tuple[str, str], list[Timed]] = {}
    for recording in timed:
        row = rows[recording.name]
        subjects.setdefault((row["dataset"], row["subject"]), []).append(recording)
    found: dict[str, list[Copy]] = {}
    for recordings in subjects.values():
        for copy in find_copies(recordings):
            found.setdefault(copy.recording, []).append(copy)
            own, other = rows[copy.recording], rows[copy.kept_in]
            same = "another run" if own["task"] == other["task"] else "another task"
            notes[f"recordings that hold the same EEG as {same}"] += 1
    return found


def mark_copies(
    frames: Mapping[str, pd.DataFrame],
    copies: Mapping[str, Sequence[Copy]],
    rows: Mapping[str, Mapping[str, Any]],
    *,
    sfreq: float,
) -> None:
    """Give a reason to windows whose EEG another recording keeps, in place.

    Only windows of kinds that the other recording has too: nothing but RestingState yields windows with eyes
    open or closed, so these stay although another file goes over the same time. A window that merely reaches
    into the common stretch goes as well, so that no sample is kept twice.

    Parameters
    ----------
    frames
        Candidate windows by recording; ``start`` counts from the recording's own first sample.
    copies
        What :func:`copies_by_recording` returns.
    rows
        Rows of the inventory by recording.
    sfreq
        Sampling rate in Hz.
    """
    for recording, found in copies.items():
        frame = frames[recording]
        for copy in found:
            touched = (frame["start"] + frame["length"] > copy.start * sfreq) & (
                frame["start"] < copy.stop * sfreq
            )
            twice = touched & frame["kind"].isin(frames[copy.kept_in]["kind"].unique())
            frame.loc[twice & (frame["reason"] == ""), "reason"] = reason_of(
                rows[recording], rows[copy.kept_in]
            )


def reason_of(own: Mapping[str, Any], keeper: Mapping[str, Any]) -> str:
    """Why a window isn't kept: ``same EEG as run 3``, ``same EEG as ThePresent``."""
    run = f"run {keeper['run']}" if keeper["run"] else ""
    task = keeper["task"] if keeper["task"] != own["task"] or not run else ""
    return " ".join(part for part in ("same EEG as", task, run) if part)
