from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
import pytest

from cerebro.config import MomentLabel
from cerebro.recordings.events import complete_events, read_events
from cerebro.recordings.hbn_movies import DROPPED, MOVIES, PAUSED, STOPPED, movie_intervals
from cerebro.shards.kinds import moment_windows

ReadSidecar = Callable[[str], pd.DataFrame]


def movie_events(*rows: tuple[float, str, str]) -> pd.DataFrame:
    return complete_events(pd.DataFrame(rows, columns=["onset", "value", "code"]), source="a test")


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


def test_every_real_movie_in_a_file_of_another_task_lasts_its_nominal_time_too(sidecars: Path) -> None:
    whole = without_stop = 0
    for path in sorted(sidecars.glob("sub-*/eeg/*_events.tsv")):
        if "contrastChange" not in path.name and "surroundSupp" not in path.name:
            continue
        for movie in movie_intervals(read_events(path), duration=1e6).itertuples():
            nominal = dict(MOVIES.values())[movie.movie]
            assert movie.reason == ""
            if movie.has_stop:
                whole += 1
                assert movie.stop - movie.start == pytest.approx(nominal, abs=0.03)
            else:
                without_stop += 1
                assert movie.stop - movie.start <= nominal
    assert (whole, without_stop) == (100, 27)


def test_two_real_movies_in_one_file_are_two_and_the_one_without_a_stop_ends_at_a_mark(
    read_sidecar: ReadSidecar,
) -> None:
    events = read_sidecar("sub-NDARGX001CB1_task-contrastChangeDetection_run-1")
    movies = movie_intervals(events, duration=1097.0)
    assert list(movies["movie"]) == ["DespicableMe", "FunwithFractals"]
    assert list(movies["has_stop"]) == [False, True]
    assert list(movies["start"]) == [282.27, 520.952]
    marks = events.loc[events["value"].isin(["break cnt", "9999", "boundary"]), "onset"]
    assert movies["stop"][0] in {*marks, 282.27 + 170.546}
    assert movies["stop"][1] == 683.94


def test_real_events_of_another_task_in_a_movies_file_change_nothing(read_sidecar: ReadSidecar) -> None:
    events = read_sidecar("sub-NDARBX121UM9_task-DiaryOfAWimpyKid")
    assert {"contrastChangeB2_start", "contrastTrial_start", "dot_no3_ON"} < set(events["value"])
    movie = movie_intervals(events, duration=156.794)
    assert movie[["start", "stop", "movie"]].values.tolist() == [[1.918, 119.316, "DiaryOfAWimpyKid"]]


def test_a_movie_without_stop_lasts_its_nominal_time_or_to_the_end_of_the_recording() -> None:
    events = movie_events((1.5, "video_start", "84"))
    assert movie_intervals(events, duration=1000)["stop"].item() == pytest.approx(204.57)
    assert movie_intervals(events, duration=60)["stop"].item() == 60
    broken_off = movie_events((1.5, "video_start", "84"), (30.0, "break cnt", "break cnt"))
    assert movie_intervals(broken_off, duration=1000)["stop"].item() == 30


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


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(258, PAUSED), (170.8, PAUSED), (170.7, ""), (170.4, ""), (170.3, STOPPED), (90, STOPPED)],
)
def test_a_movie_whose_duration_is_not_its_own_says_so(seconds: float, reason: str) -> None:
    events = movie_events((0, "video_start", "83"), (seconds, "video_stop", "103"))
    assert movie_intervals(events, duration=300)["reason"].item() == reason


def test_foreign_codes_are_no_movies() -> None:
    # 83 is not a movie unless a video starts; 5 is a trial of contrast change.
    events = movie_events((1, "something", "83"), (2, "video_start", "5"), (3, "contrastTrial_start", "5"))
    assert movie_intervals(events, duration=100).empty


def test_a_mark_inside_a_movie_of_the_right_duration_costs_no_time() -> None:
    events = movie_events(
        (0, "video_start", "83"), (90, "9999", "9999"), (120, "boundary", ""), (170.5, "video_stop", "103")
    )
    movie = movie_intervals(events, duration=300)
    assert movie[["start", "stop", "movie_time", "reason"]].values.tolist() == [[0, 170.5, 0, ""]]


@pytest.mark.parametrize("gaps", [((60.4, 7.3),), ((30.4, 4.0), (90.01, 20.5)), ((30.4, 0.9), (31.4, 2.0))])
@pytest.mark.filterwarnings("ignore:The data contains 'boundary' events")
def test_movie_time_stays_right_where_samples_were_dropped(
    tmp_path: Path, gaps: tuple[tuple[float, float], ...]
) -> None:
    """The signal is the movie's own time, so every window's first sample says which moment it shows."""
    sfreq, onset = 500, 2.0
    nominal = dict(MOVIES.values())["DiaryOfAWimpyKid"]
    times = np.arange(0, onset + nominal + 3, 1 / sfreq)
    kept = np.ones(len(times), dtype=bool)
    for start, seconds in gaps:
        kept[round((onset + start) * sfreq) : round((onset + start + seconds) * sfreq)] = False
    position = np.cumsum(kept) / sfreq  # where a moment of the session lies in the file, s

    def stored(moment: float) -> float:
        return float(position[round(moment * sfreq)] - 1 / sfreq)

    rows = [("video_start", "81", stored(onset)), ("video_stop", "101", stored(onset + nominal))]
    # EEGLAB puts a boundary half a sample before the first sample behind the gap.
    rows += [("boundary", "boundary", stored(onset + sum(gap)) - 0.5 / sfreq) for gap in gaps]
    raw = mne.io.RawArray(
        (times - onset)[None, kept] / 1e6, mne.create_info(["Cz"], sfreq, "eeg"), verbose="error"
    )
    raw.set_annotations(mne.Annotations([row[2] for row in rows], 0.0, [row[0] for row in rows]))
    mne.export.export_raw(tmp_path / "movie_eeg.set", raw, verbose="error")
    (tmp_path / "movie_events.tsv").write_text(
        "onset\tduration\tsample\tvalue\tevent_code\n"
        + "".join(
            f"{t:.3f}\tn/a\t{t * sfreq:.1f}\t{v}\t{c}\n" for v, c, t in sorted(rows, key=lambda r: r[2])
        )
    )
    # MNE stores what the file stores: behind a gap its clock runs on without it, and so do the events.
    signal = mne.io.read_raw_eeglab(tmp_path / "movie_eeg.set", verbose="error").get_data()[0] * 1e6
    assert len(signal) == kept.sum()
    movie = movie_intervals(read_events(tmp_path / "movie_events.tsv"), duration=len(signal) / sfreq)
    label = MomentLabel(of="moment", column="movie", starts="movie_time", classes="all")
    windows = moment_windows(
        movie.assign(begin=movie["movie_time"], value=movie["movie"]),
        label,
        n_times=len(signal),
        sfreq=sfreq,
        length=1000,
    )
    usable = windows[windows["reason"] == ""]
    first, last = (signal[usable["start"] + offset] for offset in (0, 999))
    np.testing.assert_allclose(first, usable["moment"], atol=2.5 / sfreq)
    np.testing.assert_allclose(last - first, 999 / sfreq, atol=1e-3)  # no gap inside
    # All of the movie's grid up to the first gap and behind the last; between two gaps nobody knows.
    begin, end = gaps[0][0], sum(gaps[-1])
    assert set(usable["moment"]) == {time for time in range(116) if time + 2 <= begin or time >= end}
    longest = max((later[0] - sum(earlier) for earlier, later in pairwise(gaps)), default=0.0)
    assert set(windows.loc[windows["reason"] != "", "reason"]) == ({DROPPED} if longest > 3 else set())


@pytest.mark.parametrize(
    ("stated", "stop", "reason"), [(203.1, 213.1, ""), (90.0, 100.0, STOPPED), ("n/a", 213.07, "")]
)
def test_a_movie_whose_start_has_a_duration_stops_after_it(stated: Any, stop: float, reason: str) -> None:
    table = pd.DataFrame(
        {"onset": [10.0], "duration": [stated], "value": ["video_start"], "code": ["84"]}, dtype=object
    )
    (movie,) = movie_intervals(complete_events(table, source="a test"), duration=300.0).to_dict("records")
    assert (movie["stop"], movie["reason"], movie["has_stop"]) == (
        pytest.approx(stop),
        reason,
        stated != "n/a",
    )
