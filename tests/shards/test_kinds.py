import random
from collections.abc import Sequence

import mne
import numpy as np
import pandas as pd
import pytest
from braindecode.datasets import BaseConcatDataset, RawDataset
from braindecode.preprocessing import create_fixed_length_windows, create_windows_from_events

from cerebro.shards import kinds


def raw_of(n_times: int) -> mne.io.RawArray:
    return mne.io.RawArray(np.zeros((1, n_times)), mne.create_info(["Cz"], 100, "eeg"), verbose="error")


def trials_at(targets: Sequence[float], answers: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"stimulus_onset": targets, "rt_from_stimulus": answers, "side": "left", "correct": True}
    )


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
    trials = trials_at(targets, rng.uniform(0.5, 2, 40))
    windows = kinds.trial_windows(trials, n_times=n_times, sfreq=100)
    assert list(windows["start"]) == list(reference.metadata["i_start_in_trial"])
    np.testing.assert_array_equal(windows["reaction_time"], trials["rt_from_stimulus"])


def test_trials_without_an_answer_or_beyond_the_recording_give_no_window() -> None:
    trials = trials_at([1.0, 5.0, 8.0, np.nan], [1, np.nan, 1, np.nan])
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


def movie(start: float, stop: float, *, movie_time: float = 0.0) -> pd.DataFrame:
    row = {"start": start, "stop": stop, "movie": "ThePresent", "movie_time": movie_time, "reason": ""}
    return pd.DataFrame([row])


def test_movie_windows_of_two_subjects_share_their_moments() -> None:
    moments = {}
    for name, onset, seconds in (("first", 1.203, 30.0), ("second", 17.548, 60.0)):
        windows = kinds.movie_windows(
            movie(onset, seconds), n_times=round(seconds * 100), sfreq=100, length=200, stride_seconds=1.0
        )
        np.testing.assert_allclose(windows["start"] / 100, windows["movie_time"] + onset, atol=0.005 + 1e-9)
        moments[name] = set(windows["movie_time"])
    assert moments["first"] == set(np.arange(27.0))
    assert moments["first"] < moments["second"]


def test_a_later_stretch_of_a_movie_lies_on_the_same_grid() -> None:
    windows = kinds.movie_windows(
        movie(20.0, 30.0, movie_time=60.3), n_times=3000, sfreq=100, length=200, stride_seconds=0.5
    )
    assert list(windows["movie_time"][:2]) == [60.5, 61.0]
    assert list(windows["start"][:2]) == [2020, 2070]
    assert windows["start"].max() + 200 <= 3000


def test_condition_windows_lie_side_by_side_and_carry_their_labels() -> None:
    intervals = pd.DataFrame(
        {
            "start": [1.0, 4.0, 9.0, 20.0],
            "stop": [3.4, 5.9, 13.5, 30.0],
            "condition": ["a", "b", "c", "d"],
            "correct": [np.nan, 1, 0.5, 0],
        }
    )
    windows = kinds.condition_windows(intervals, n_times=2199, sfreq=100, length=200)
    assert list(windows["start"]) == [100, 900, 1100]
    assert list(windows["condition"]) == ["a", "c", "c"]
    np.testing.assert_array_equal(windows["correct"], [np.nan, 0.5, 0.5])
    assert set(windows["kind"]) == {"condition"}
