import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from eegdash.hbn.windows import build_trial_table

from cerebro.recordings.events import (
    MOVIES,
    contrast_change_trials,
    eyes_intervals,
    movie_intervals,
    read_events,
)


def events_of(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(float(row[0]), row[1], *row[2:]) for row in rows], columns=["onset", "value", "code", "feedback"]
    )


def trial_events(*rows: tuple[float, str]) -> pd.DataFrame:
    return events_of([(onset, value, "", np.nan) for onset, value in rows])


def movie_events(*rows: tuple[float, str, str]) -> pd.DataFrame:
    return events_of([(*row, np.nan) for row in rows])


@pytest.mark.filterwarnings("error::UserWarning")
def test_trials_of_every_real_contrast_change_file_equal_eegdash(sidecars: Path) -> None:
    files = sorted(sidecars.glob("sub-*/eeg/*_task-contrastChangeDetection*_events.tsv"))
    assert len(files) == 293
    for path in files:
        expected = build_trial_table(pd.read_csv(path, sep="\t"))
        pd.testing.assert_frame_equal(contrast_change_trials(read_events(path)), expected)


def test_the_first_press_after_the_target_answers_and_earlier_and_later_ones_do_not() -> None:
    trials = contrast_change_trials(
        trial_events(
            (0.0, "contrastTrial_start"),
            (1.0, "left_buttonPress"),
            (2.0, "right_target"),
            (3.5, "right_buttonPress"),
            (3.9, "left_buttonPress"),
            (6.0, "contrastTrial_start"),
        )
    )
    assert len(trials) == 1
    assert trials["rt_from_stimulus"].item() == 1.5
    assert trials["response_type"].item() == "right_buttonPress"


def test_a_press_at_the_moment_of_the_target_counts_and_one_at_the_next_start_does_not() -> None:
    trials = contrast_change_trials(
        trial_events(
            (0, "contrastTrial_start"),
            (1, "left_target"),
            (1, "left_buttonPress"),
            (4, "contrastTrial_start"),
            (5, "left_target"),
            (8, "left_buttonPress"),
            (8, "contrastTrial_start"),
        )
    )
    np.testing.assert_array_equal(trials["rt_from_stimulus"], [0.0, np.nan])


def test_the_last_trial_counts_only_when_the_experiment_ends_after_it() -> None:
    rows = [(0.0, "contrastTrial_start"), (1.0, "left_target"), (2.0, "left_buttonPress")]
    assert len(contrast_change_trials(trial_events(*rows))) == 0
    assert len(contrast_change_trials(trial_events(*rows, (9.0, "end_experiment")))) == 1


def test_a_file_without_trials_gives_an_empty_table() -> None:
    trials = contrast_change_trials(trial_events((0.0, "video_start")))
    assert trials.empty
    assert "rt_from_stimulus" in trials


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


def test_eyes_end_with_the_recording_the_nominal_time_or_the_next_event() -> None:
    rows = [
        (0, "instructed_toOpenEyes", "20"),
        (30, "instructed_toCloseEyes", "30"),
        (40, "dot_no7_ON", "17"),
        (50, "instructed_toOpenEyes", "20"),
        (80, "instructed_toOpenEyes", "20"),
    ]
    intervals = eyes_intervals(movie_events(*rows), duration=60.0)
    assert intervals.to_dict("list") == {
        "start": [0.0, 30.0, 50.0],
        "stop": [20.0, 40.0, 60.0],
        "eyes": ["open", "closed", "open"],
    }


def test_every_real_movie_is_found_by_its_code_and_lasts_its_nominal_time(sidecars: Path) -> None:
    nominal = dict(MOVIES.values())
    for movie, seconds in nominal.items():
        files = sorted(sidecars.glob(f"sub-*/eeg/*_task-{movie}_events.tsv"))
        assert len(files) == 12
        for path in files:
            intervals = movie_intervals(read_events(path), duration=1e6)
            assert list(intervals["movie"]) == [movie]
            assert intervals["has_stop"].all()
            assert list(intervals["reason"]) == [""]
            assert (intervals["stop"] - intervals["start"]).item() == pytest.approx(seconds, abs=0.03)


def test_a_movie_without_stop_lasts_its_nominal_time_or_to_the_end_of_the_recording() -> None:
    events = movie_events((1.5, "video_start", "84"))
    assert movie_intervals(events, duration=1000)["stop"].item() == pytest.approx(204.57)
    assert movie_intervals(events, duration=60)["stop"].item() == 60


def test_two_movies_in_one_file_are_two() -> None:
    events = movie_events(
        (1, "video_start", "81"),
        (118.396, "video_stop", "101"),
        (130, "video_start", "83"),
        (300.5, "video_stop", "103"),
    )
    intervals = movie_intervals(events, duration=400)
    assert list(intervals["movie"]) == ["DiaryOfAWimpyKid", "DespicableMe"]
    assert list(intervals["stop"]) == [118.396, 300.5]


def test_a_paused_movie_and_an_interrupted_one_say_so() -> None:
    paused = movie_events((0, "video_start", "83"), (258, "video_stop", "103"))
    assert movie_intervals(paused, duration=300)["reason"].item() == "movie paused"
    cut = movie_events((0, "video_start", "83"), (90, "boundary", "boundary"), (160, "video_stop", "103"))
    assert movie_intervals(cut, duration=300)["reason"].item() == "movie interrupted"


def test_foreign_codes_are_no_movies() -> None:
    # 83 is not a movie unless a video starts; 5 is a trial of contrast change.
    events = movie_events((1, "something", "83"), (2, "video_start", "5"), (3, "contrastTrial_start", "5"))
    assert movie_intervals(events, duration=100).empty


def test_events_are_sorted_and_those_without_a_time_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    path.write_text(
        "onset\tduration\tvalue\tevent_code\n2.5\tn/a\tb\t83.0\nn/a\tn/a\tlost\t1\n1\tn/a\ta\tn/a\n"
    )
    with pytest.warns(UserWarning, match="1 events without a time"):
        events = read_events(path)
    assert list(events["value"]) == ["a", "b"]
    assert list(events["code"]) == ["", "83"]
    assert list(events["onset"]) == [1.0, 2.5]


def test_a_table_without_onsets_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "events.tsv"
    path.write_text("time\tvalue\n1\ta\n")
    with pytest.raises(ValueError, match="no column onset"):
        read_events(path)
