import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cerebro.recordings.events import complete_events, read_events
from cerebro.recordings.resting_state import eyes_intervals


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


def test_eyes_end_with_the_recording_the_nominal_time_or_the_next_event() -> None:
    rows = [
        (0, "instructed_toOpenEyes"),
        (30, "instructed_toCloseEyes"),
        (40, "dot_no7_ON"),
        (50, "instructed_toOpenEyes"),
        (80, "instructed_toOpenEyes"),
    ]
    events = complete_events(pd.DataFrame(rows, columns=["onset", "value"]), source="a test")
    assert eyes_intervals(events, duration=60.0).to_dict("list") == {
        "start": [0.0, 30.0, 50.0],
        "stop": [20.0, 40.0, 60.0],
        "eyes": ["open", "closed", "open"],
    }
