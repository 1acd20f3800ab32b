import random

import mne
import numpy as np
import pandas as pd
import pytest
from braindecode.datasets import BaseConcatDataset, RawDataset
from braindecode.preprocessing import create_fixed_length_windows, create_windows_from_events

from cerebro.recordings.events import contrast_change_trials, eyes_intervals, movie_intervals
from cerebro.shards import kinds


def raw_of(n_times: int) -> mne.io.RawArray:
    return mne.io.RawArray(np.zeros((1, n_times)), mne.create_info(["Cz"], 100, "eeg"), verbose="error")


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
    trials = pd.DataFrame({"stimulus_onset": targets, "rt_from_stimulus": rng.uniform(0.5, 2, 40)})
    windows = kinds.trial_windows(trials, n_times=n_times, sfreq=100)
    assert list(windows["start"]) == list(reference.metadata["i_start_in_trial"])
    np.testing.assert_array_equal(windows["reaction_time"], trials["rt_from_stimulus"])


def test_trials_without_an_answer_or_beyond_the_recording_give_no_window() -> None:
    targets, answers = [1.0, 5.0, 8.0, np.nan], [1, np.nan, 1, np.nan]
    trials = pd.DataFrame({"stimulus_onset": targets, "rt_from_stimulus": answers})
    assert list(kinds.trial_windows(trials, n_times=1050, sfreq=100)["start"]) == [150, 850]
    assert list(kinds.trial_windows(trials, n_times=1049, sfreq=100)["start"]) == [150]


def test_fixed_windows_cover_the_recording_and_drop_the_last_partial_one() -> None:
    windows = kinds.fixed_windows(1001, length=200, stride=100)
    assert list(windows["start"]) == list(range(0, 801, 100))
    assert kinds.fixed_windows(199, length=200, stride=100).empty


def test_eyes_windows_leave_out_the_first_second_and_stay_inside() -> None:
    intervals = pd.DataFrame({"start": [0.5, 10.0], "stop": [10.0, 12.9], "eyes": ["open", "closed"]})
    windows = kinds.eyes_windows(intervals, n_times=5000, sfreq=100, length=200)
    assert list(windows["start"]) == [150, 350, 550, 750]
    assert set(windows["eyes"]) == {"open"}


def test_movie_windows_of_two_subjects_share_their_moments() -> None:
    starts = {}
    for name, onset, seconds in (("first", 1.203, 30.0), ("second", 17.548, 60.0)):
        movie = pd.DataFrame({"start": [onset], "stop": [seconds], "movie": ["ThePresent"], "reason": [""]})
        windows = kinds.movie_windows(
            movie, n_times=round(seconds * 100), sfreq=100, length=200, stride_seconds=1.0
        )
        np.testing.assert_allclose(windows["start"] / 100, windows["movie_time"] + onset, atol=0.005 + 1e-9)
        starts[name] = set(windows["movie_time"])
    assert starts["first"] == set(np.arange(27.0))
    assert starts["first"] < starts["second"]


@pytest.mark.parametrize("seed", range(40))
def test_no_window_lies_outside_its_recording(seed: int) -> None:
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    n_times = int(rng.integers(0, 6000))
    duration = n_times / 100
    vocabulary = [
        ("contrastTrial_start", "5"),
        ("left_target", "8"),
        ("left_buttonPress", "12"),
        ("instructed_toOpenEyes", "20"),
        ("instructed_toCloseEyes", "30"),
        ("video_start", "83"),
        ("video_stop", "103"),
        ("boundary", "boundary"),
        ("9999", "9999"),
    ]
    chosen = [vocabulary[index] for index in rng.integers(0, len(vocabulary), 80)]
    events = pd.DataFrame(
        {
            "onset": np.sort(rng.uniform(-3, duration + 10, 80)),
            "value": [value for value, _ in chosen],
            "code": [code for _, code in chosen],
            "feedback": np.nan,
        }
    )
    size = {"n_times": n_times, "sfreq": 100.0}
    stride = float(rng.choice([0.5, 1.0, 1.7]))
    windows = pd.concat(
        [
            kinds.fixed_windows(n_times, length=200, stride=130),
            kinds.crop_windows(n_times, sfreq=100),
            kinds.trial_windows(contrast_change_trials(events), **size),
            kinds.eyes_windows(eyes_intervals(events, duration=duration), length=200, **size),
            kinds.movie_windows(
                movie_intervals(events, duration=duration), length=200, stride_seconds=stride, **size
            ),
        ]
    )
    assert (windows["start"] >= 0).all()
    assert (windows["start"] + windows["length"] <= n_times).all()
    assert not (windows["reaction_time"] < 0).any()
