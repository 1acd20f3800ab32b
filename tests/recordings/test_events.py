import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cerebro.recordings.events import BREAKS, complete_events, read_events
from cerebro.recordings.hbn_conditions import learning_blocks, surround_stimuli, symbol_trials
from cerebro.recordings.hbn_contrast_change import contrast_change_trials, runs_within
from cerebro.recordings.hbn_movies import movie_intervals
from cerebro.recordings.hbn_resting_state import eyes_intervals

ReadSidecar = Callable[[str], pd.DataFrame]


def test_every_real_sidecar_is_read_whole_and_in_the_time_of_its_samples(sidecars: Path) -> None:
    files = sorted(sidecars.glob("sub-*/eeg/*_events.tsv"))
    assert len(files) == 393
    for path in files:
        expected = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        events = read_events(path)
        assert list(events["value"]) == list(expected["value"])
        # Some samples are fractional: a cut lies between two of them.
        np.testing.assert_allclose(events["onset"], expected["sample"].astype(float) / 500, atol=1e-3)


def test_cuts_between_samples_keep_their_time(read_sidecar: ReadSidecar, sidecars: Path) -> None:
    # `sample` of the boundary is 86046.5.
    events = read_sidecar("sub-NDARAC904DMU_task-DespicableMe")
    assert events.iloc[-1][["onset", "value"]].tolist() == [172.093, "boundary"]
    fractional = 0
    for path in sidecars.glob("sub-*/eeg/*_events.tsv"):
        table = pd.read_csv(path, sep="\t")
        uneven = table["sample"] % 1 != 0
        assert set(table.loc[uneven, "value"]) <= {"boundary"}
        fractional += int(uneven.sum())
    assert fractional == 101


def test_marks_of_the_recorder_are_read_as_such(read_sidecar: ReadSidecar) -> None:
    events = read_sidecar("sub-NDARAW320CGR_task-DespicableMe")
    marks = events[events["value"].isin(BREAKS)]
    assert list(zip(marks["value"], marks["onset"], strict=True)) == [
        ("9999", 0.0),
        ("break cnt", 173.922),
        ("9999", 230.206),
    ]


def test_an_event_without_a_value_is_no_event_of_any_task(read_sidecar: ReadSidecar) -> None:
    # Its value is n/a, its code 27; a dot's OFF in sequence learning has that code.
    events = read_sidecar("sub-NDARAC904DMU_task-seqLearning8target")
    assert events.iloc[0][["value", "code"]].tolist() == ["n/a", "27"]
    assert len(learning_blocks(events, duration=1000.0)) == 5


def test_a_file_path_as_a_value_does_no_harm(
    read_sidecar: ReadSidecar, sidecar_path: Callable[[str], Path], tmp_path: Path
) -> None:
    name = "sub-NDARAC904DMU_task-contrastChangeDetection_run-1"
    text = sidecar_path(name).read_text()
    broken = tmp_path / "events.tsv"
    broken.write_text(text + "12.5\tn/a\t6250\tC:\\EEG\\sub\\file.mff\t5\tn/a\n")
    pd.testing.assert_frame_equal(
        contrast_change_trials(read_events(broken)), contrast_change_trials(read_sidecar(name))
    )


def test_events_are_sorted_and_those_without_a_time_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    path.write_text(
        "onset\tduration\tvalue\tevent_code\n"
        "2.5\tn/a\tb\t83.0\nn/a\tn/a\tlost\t1\n1e300\tn/a\tlost\t1\n1\tn/a\ta\tn/a\n"
    )
    with pytest.warns(UserWarning, match="2 events without a time"):
        events = read_events(path)
    assert list(events["value"]) == ["a", "b"]
    assert list(events["code"]) == ["", "83"]
    assert list(events["onset"]) == [1.0, 2.5]


def test_broken_rows_cost_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    path.write_bytes(
        b'\xef\xbb\xbfonset\tvalue\tonset\r\n1\t"a\r\n\r\n2\tb\t7\tone field too many\r\n3\r\n4\t\xff\x00\r\n'
    )
    events = read_events(path)
    assert list(events["onset"]) == [1, 2, 3, 4]
    assert list(events["value"]) == ['"a', "b", "n/a", "\ufffd\x00"]


@pytest.mark.parametrize("content", [b"", b"time\tvalue\n1\ta\n", b"\x00\xff\xfe"])
def test_a_table_without_onsets_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} has no column onset"):
        read_events(path)


def test_numbers_of_another_reader_are_as_good_as_text() -> None:
    table = pd.DataFrame({"onset": [3, 1], "value": ["video_start", 5], "code": [83, np.nan]})
    events = complete_events(table, source="a table")
    assert list(events["code"]) == ["", "83"]
    assert list(events["value"]) == ["5", "video_start"]
    assert list(movie_intervals(events, duration=10.0)["movie"]) == ["DespicableMe"]


def test_a_length_is_one_only_where_it_says_so() -> None:
    stated = ["2.4", "0", "n/a", "-3", "inf", "long"]
    table = pd.DataFrame({"onset": range(6), "duration": stated, "value": "a"})
    durations = complete_events(table, source="a table")["duration"]
    np.testing.assert_array_equal(durations, [2.4, *[np.nan] * 5])
    assert complete_events(table.drop(columns="duration"), source="a table")["duration"].isna().all()


def test_a_table_without_values_is_read_by_its_trial_types_and_further_columns_stay_as_text() -> None:
    table = pd.DataFrame(
        {
            "onset": ["1", "2"],
            "trial_type": ["eyes_open", np.nan],
            "load": [2, np.nan],
            "side": ["left", "right"],
        }
    )
    events = complete_events(table, source="a table")
    assert list(events["value"]) == ["eyes_open", "n/a"]
    assert list(events["load"].fillna("none")) == ["2.0", "none"]
    assert list(events["side"]) == ["left", "right"]
    both = complete_events(table.assign(value=[7, 8]), source="a table")
    assert list(both["value"]) == ["7", "8"]
    assert both["trial_type"][0] == "eyes_open"


VOCABULARY = re.findall(
    r"\S+",
    """
    contrastTrial_start left_target right_target left_buttonPress right_buttonPress end_experiment
    contrastChangeB1_start contrastChangeB2_start instructed_toOpenEyes instructed_toCloseEyes resting_start
    video_start video_stop stim_ON fixpoint_ON seqLearning_start learningBlock_1 learningBlock_2 dot_no1_ON
    dot_no1_OFF seqLearning_stop newPage trialResponse symbolSearch_start 9999 n/a boundary " \\path
    """,
)
COLUMNS = re.findall(
    r"\w+",
    "onset duration sample value event_code feedback background foreground_contrast stimulus_cond user_answer"
    " correct_answer code",
)
anything = st.text(max_size=6)
cells = {
    "onset": st.one_of(
        st.floats(-5, 400).map(lambda onset: f"{onset:.3f}"),
        st.floats().map(str),
        st.sampled_from(["n/a", "", "1e400", "-1", "12,5", "0x10"]),
    ),
    "value": st.one_of(st.sampled_from([*VOCABULARY, "break cnt", ""]), anything),
    "event_code": st.one_of(st.sampled_from(["81", "83", "84", "101", "103.0", "5", "n/a"]), anything),
    "feedback": st.sampled_from(["smiley_face", "sad_face", "non_target", "n/a", "?"]),
    "user_answer": st.one_of(st.sampled_from(["1", "0", "n/a", "1-2-3", "-", "nan"]), anything),
    "correct_answer": st.one_of(st.sampled_from(["1", "0.0", "n/a", "1-2-4", "inf"]), anything),
}


@st.composite
def event_files(draw: st.DrawFn) -> bytes:
    """Contents of events.tsv: columns in any order, some missing or twice, rows too long or too short."""
    names = draw(st.lists(st.sampled_from(COLUMNS), max_size=6))
    names = draw(st.permutations([*(draw(st.sampled_from([["onset", "value"], []]))), *names]))
    row = st.tuples(*(cells.get(name, st.sampled_from(["0", "1", "0.3", "n/a", "x"])) for name in names))
    lines = ["\t".join(names)]
    for fields in draw(st.lists(row, max_size=40)):
        cut = draw(st.integers(-1, 3))
        lines.append("\t".join([*fields, "more"] if cut == 0 else fields[:cut] if cut < 0 else fields))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines).encode("utf-8", errors="replace")


@settings(max_examples=300, deadline=None, print_blob=True)
@given(content=st.one_of(event_files(), st.binary(max_size=60)), duration=st.floats(0, 500))
@example(content=b"onset\tvalue\n", duration=0.0)
@pytest.mark.filterwarnings("ignore:.*without a time")
def test_no_table_breaks_the_reader_and_every_interval_lies_in_its_recording(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, duration: float
) -> None:
    path = tmp_path_factory.mktemp("events") / "events.tsv"
    path.write_bytes(content)
    names = re.split("\r\n|\r|\n", content.decode("utf-8-sig", errors="replace"))[0].split("\t")
    if "onset" not in names:
        with pytest.raises(ValueError, match="has no column onset"):
            read_events(path)
        return
    events = read_events(path)
    assert events["onset"].is_monotonic_increasing
    assert np.isfinite(events["onset"]).all()
    trials = contrast_change_trials(events)
    assert not (trials["rt_from_stimulus"] < 0).any()
    assert ((trials["side"] != "") == trials["stimulus_onset"].notna()).all()
    assert len(set(runs_within(events))) == len(runs_within(events))
    for find in (eyes_intervals, movie_intervals, surround_stimuli, learning_blocks, symbol_trials):
        intervals = find(events, duration=duration)
        assert (intervals["start"] <= intervals["stop"]).all()
        assert (intervals["stop"] <= duration).all()
    json.dumps(trials["side"].tolist())
