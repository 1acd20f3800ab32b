import random
from collections.abc import Sequence

import mne
import numpy as np
import pandas as pd
import pytest
from braindecode.datasets import BaseConcatDataset, RawDataset
from braindecode.preprocessing import create_fixed_length_windows, create_windows_from_events

from cerebro.config import EventLabel, IntervalLabel, MomentLabel
from cerebro.shards import kinds

REACTION_TIME = EventLabel(of="event", at=("target",), column="response_time", window=(0.5, 2.5))
EYES = IntervalLabel(of="interval", classes="all", settle_seconds=1)
CONDITION = IntervalLabel(of="interval", classes="all", timed=True)
MOVIE = MomentLabel(of="moment", classes="all")


def raw_of(n_times: int) -> mne.io.RawArray:
    return mne.io.RawArray(np.zeros((1, n_times)), mne.create_info(["Cz"], 100, "eeg"), verbose="error")


def targets_at(onsets: Sequence[float] | np.ndarray, values: Sequence[float] | np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"onset": onsets, "event": "target", "value": values})


@pytest.mark.parametrize("n_times", [400, 401, 599, 600, 8123])
def test_crops_equal_those_of_the_start_kit(n_times: int) -> None:
    dataset = RawDataset(raw_of(n_times), description={"subject": "A"})
    long = create_fixed_length_windows(
        BaseConcatDataset([dataset]),
        window_size_samples=400,
        window_stride_samples=200,
        drop_last_window=True,
    ).datasets[0]
    # The start kit's DatasetWrapper, challenge_2.py, read in order: one generator per recording.
    generator = random.Random(42)
    expected = []
    for index in range(len(long)):
        _, start, stop = long[index][2]
        expected.append(start + generator.randint(0, stop - start - 200))
    assert list(kinds.crop_windows(n_times, sfreq=100)["start"]) == expected
    assert len(expected) == (n_times - 400) // 200 + 1


def test_a_recording_below_four_seconds_gives_no_crop() -> None:
    assert kinds.crop_windows(399, sfreq=100).empty


@pytest.mark.parametrize("seed", range(5))
def test_trial_windows_equal_braindecodes_to_the_sample(seed: int) -> None:
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    targets = np.round(np.cumsum(rng.uniform(3, 8, 40)), 3)
    n_times = int(targets[-1] * 100) + 1000
    raw = raw_of(n_times)
    raw.set_annotations(mne.Annotations(targets, np.full(40, 2.0), ["stimulus_anchor"] * 40))
    reference = create_windows_from_events(
        BaseConcatDataset([RawDataset(raw)]),
        mapping={"stimulus_anchor": 0},
        trial_start_offset_samples=50,
        trial_stop_offset_samples=50,
        window_size_samples=200,
        window_stride_samples=100,
        preload=True,
    ).datasets[0]
    answers = targets_at(targets, rng.uniform(0.5, 2, 40))
    windows = kinds.event_windows(answers, REACTION_TIME, n_times=n_times, sfreq=100)
    assert list(windows["start"]) == list(reference.metadata["i_start_in_trial"])
    np.testing.assert_array_equal(windows["value"], answers["value"])
    assert set(windows["stream"]) == {"target"}
    assert set(windows["moment"]) == {0.5}


def test_events_beyond_the_recording_give_no_window() -> None:
    targets = targets_at([1.0, 8.0], [1, 1])
    for n_times, starts in ((1050, [150, 850]), (1049, [150])):
        windows = kinds.event_windows(targets, REACTION_TIME, n_times=n_times, sfreq=100)
        assert list(windows["start"]) == starts


@pytest.mark.parametrize(
    ("window", "start", "first", "last"),
    [((0.5, 2.5), 550, 500, 750), ((-2.0, -0.5), 300, 300, 500), ((-1.0, 3.0), 400, 400, 800)],
)
def test_a_window_lies_before_or_after_its_event_and_no_mark_may_lie_between_them(
    window: tuple[float, float], start: int, first: int, last: int
) -> None:
    label = EventLabel(of="event", at=("go",), column="hand", classes="all", window=window)
    events = pd.DataFrame({"onset": [5.0], "event": ["go"], "value": ["left"]})
    (found,) = kinds.event_windows(events, label, n_times=1000, sfreq=100).to_dict("records")
    assert (found["start"], found["length"]) == (start, round((window[1] - window[0]) * 100))
    assert (found["first"], found["last"]) == (first, last)
    assert (found["stream"], found["moment"]) == ("left", window[0])


def test_fixed_windows_cover_the_recording_and_drop_the_last_partial_one() -> None:
    windows = kinds.fixed_windows(1001, length=200, stride=100)
    assert list(windows["start"]) == list(range(0, 801, 100))
    assert kinds.fixed_windows(199, length=200, stride=100).empty


def test_eyes_windows_leave_out_the_first_second_and_stay_inside() -> None:
    intervals = pd.DataFrame({"start": [0.5, 10.0], "stop": [10.0, 12.9], "value": ["open", "closed"]})
    windows = kinds.interval_windows(intervals, EYES, n_times=5000, sfreq=100, length=200)
    assert list(windows["start"]) == [150, 350, 550, 750]
    assert set(windows["value"]) == set(windows["stream"]) == {"open"}
    assert set(windows["moment"]) == {0.0}


def movie(start: float, stop: float, *, movie_time: float = 0.0) -> pd.DataFrame:
    row = {"start": start, "stop": stop, "value": "ThePresent", "begin": movie_time, "reason": ""}
    return pd.DataFrame([row])


def test_movie_windows_of_two_subjects_share_their_moments() -> None:
    moments = {}
    for name, onset, seconds in (("first", 1.203, 30.0), ("second", 17.548, 60.0)):
        windows = kinds.moment_windows(
            movie(onset, seconds), MOVIE, n_times=round(seconds * 100), sfreq=100, length=200
        )
        np.testing.assert_allclose(windows["start"] / 100, windows["moment"] + onset, atol=0.005 + 1e-9)
        moments[name] = set(windows["moment"])
    assert moments["first"] == set(np.arange(27.0))
    assert moments["first"] < moments["second"]


def test_a_later_stretch_of_a_movie_lies_on_the_same_grid() -> None:
    label = MOVIE.model_copy(update={"grid_seconds": 0.5})
    windows = kinds.moment_windows(
        movie(20.0, 30.0, movie_time=60.3), label, n_times=3000, sfreq=100, length=200
    )
    assert list(windows["moment"][:2]) == [60.5, 61.0]
    assert list(windows["start"][:2]) == [2020, 2070]
    assert windows["start"].max() + 200 <= 3000


def test_windows_of_an_interval_lie_side_by_side_and_say_the_time_since_it_began() -> None:
    intervals = pd.DataFrame(
        {
            "start": [1.0, 4.0, 9.0, 20.0],
            "stop": [3.4, 5.9, 13.5, 30.0],
            "value": ["a", "b", "c", "d"],
        }
    )
    windows = kinds.interval_windows(intervals, CONDITION, n_times=2199, sfreq=100, length=200)
    assert list(windows["start"]) == [100, 900, 1100]
    assert list(windows["value"]) == ["a", "c", "c"]
    assert list(windows["moment"]) == [0.0, 0.0, 2.0]


def test_a_number_of_an_interval_is_no_stream_of_pairs() -> None:
    intervals = pd.DataFrame({"start": [0.0], "stop": [4.0], "value": [3.5]})
    windows = kinds.interval_windows(
        intervals, IntervalLabel(of="interval"), n_times=400, sfreq=100, length=200
    )
    assert list(windows["value"]) == [3.5, 3.5]
    assert set(windows["stream"]) == {""}
    assert windows["moment"].isna().all()
