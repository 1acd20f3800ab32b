import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cerebro.recordings.events import complete_events, read_events
from cerebro.recordings.hbn_resting_state import (
    BEYOND,
    CUT_BY_NEXT,
    CUT_BY_RECORDING,
    NOMINAL,
    eyes_intervals,
)


def test_eyes_of_every_real_resting_state_last_as_instructed(sidecars: Path) -> None:
    files = sorted(sidecars.glob("sub-*/eeg/*_task-RestingState_events.tsv"))
    assert len(files) == 12
    for path in files:
        header = json.loads(path.with_name(path.name.replace("_events.tsv", "_eeg.json")).read_text())
        intervals = eyes_intervals(read_events(path), duration=header["RecordingDuration"])
        length = intervals["stop"] - intervals["start"]
        assert list(intervals["eyes"]) == ["open", "closed"] * 5 + ["open"]
        np.testing.assert_allclose(length[:-1], [20, 40] * 5, atol=0.05)
        assert 4 < length.iloc[-1] < 5  # the task is left 4.5 s after the last instruction


def test_real_events_of_sequence_learning_in_a_resting_state_are_no_instructions(
    read_sidecar: Callable[[str], pd.DataFrame],
) -> None:
    # The file runs on into the next task, whose events it holds from 379 s on.
    events = read_sidecar("sub-NDARAC904DMU_task-RestingState")
    assert events["value"].str.startswith("dot_no").sum() == 20
    intervals = eyes_intervals(events, duration=403.474)
    assert len(intervals) == 11
    assert intervals["stop"].max() == 352.368


def rest(*rows: tuple[float, float | None, str]) -> pd.DataFrame:
    """Events by onset and duration in s, and value."""
    table = pd.DataFrame(rows, columns=["onset", "duration", "value"])
    return complete_events(table, source="a test")


def test_intervals_with_a_duration_keep_it_whatever_happens_within_them() -> None:
    events = rest(
        (5.0, 165.0, "instructed_toCloseEyes"),
        (60.0, 0.0, "a blink"),
        (195.0, 95.0, "instructed_toOpenEyes"),
    )
    assert eyes_intervals(events, duration=400.0).to_dict("list") == {
        "start": [5.0, 195.0],
        "stop": [170.0, 290.0],
        "eyes": ["closed", "open"],
        "note": ["", ""],
    }


def test_intervals_without_a_duration_last_until_the_next_event() -> None:
    events = rest(
        (0, None, "instructed_toOpenEyes"),
        (130, None, "instructed_toCloseEyes"),
        (320, None, "end of the block"),
        (330, 0.0, "instructed_toOpenEyes"),
        (335, None, "break cnt"),
    )
    intervals = eyes_intervals(events, duration=400.0)
    assert list(intervals["stop"]) == [130.0, 320.0, 335.0]
    assert not intervals["note"].any()


@pytest.mark.parametrize(
    ("last", "stop"), [([], 70.0), ([(200.0, None, "seqLearning_start")], 70.0), ([(60.0, None, "x")], 60.0)]
)
def test_an_interval_without_an_end_lasts_as_in_hbn_and_this_is_said(last: list, stop: float) -> None:
    """The start of another task is no end of the interval, as any other event is."""
    events = rest((0, None, "instructed_toCloseEyes"), (50, None, "instructed_toOpenEyes"), *last)
    intervals = eyes_intervals(events, duration=300.0)
    assert list(intervals["stop"]) == [50.0, stop]
    assert list(intervals["note"]) == ["", "" if stop == 60 else NOMINAL]


def test_whatever_is_cut_of_an_interval_is_said() -> None:
    events = rest(
        (0, 60.0, "instructed_toOpenEyes"),
        (40, 200.0, "instructed_toCloseEyes"),
        (150, 30.0, "instructed_toOpenEyes"),
    )
    intervals = eyes_intervals(events, duration=100.0)
    assert list(intervals["stop"]) == [40.0, 100.0, 100.0]
    assert list(intervals["note"]) == [CUT_BY_NEXT, CUT_BY_RECORDING, BEYOND]
    (only,) = eyes_intervals(rest((0, 60.0, "instructed_toOpenEyes")), duration=30.0).to_dict("records")
    assert (only["stop"], only["note"]) == (30.0, CUT_BY_RECORDING)
