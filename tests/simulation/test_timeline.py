import numpy as np
import pandas as pd
import pytest
from eegdash.hbn.windows import build_trial_table
from scipy import stats

from cerebro.simulation import timeline
from cerebro.simulation.subjects import child_name, draw_child, subject_rng


def _table(course: timeline.Timeline) -> pd.DataFrame:
    return pd.DataFrame([vars(event) for event in course.events])


@pytest.fixture(scope="module")
def runs() -> list[timeline.Timeline]:
    children = [draw_child(0, child_name("R5", index)) for index in range(350)]
    return [
        timeline.contrast_change(child, trials=24, rng=subject_rng(0, child.name, "run"))
        for child in children
    ]


def test_the_challenge_s_trial_table_finds_exactly_the_true_reaction_times(runs):
    for run in runs[:25]:
        table = build_trial_table(_table(run))
        np.testing.assert_allclose(table.stimulus_onset, [trial.target for trial in run.trials])
        np.testing.assert_allclose(
            table.rt_from_stimulus, [trial.reaction_time for trial in run.trials], atol=1e-9
        )


def test_reaction_times_are_distributed_as_in_r5(runs):
    times = np.array([[trial.reaction_time for trial in run.trials] for run in runs])
    known = times[~np.isnan(times)]
    assert known.max() < 2.4
    np.testing.assert_allclose(
        np.quantile(known, [0.05, 0.25, 0.5, 0.75, 0.95, 0.99]),
        [0.96, 1.36, 1.60, 1.85, 2.20, 2.35],
        atol=0.05,
    )
    assert stats.skew(known) == pytest.approx(-0.7, abs=0.25)
    assert np.mean(known < 0.2) < 0.02
    centred = times - known.mean()
    pairs = centred[:, 1:] * centred[:, :-1]
    assert np.nanmean(pairs) / known.var() == pytest.approx(0.3, abs=0.06)
    # a mean over 22 trials carries a 22nd of the variance within subjects
    between = np.nanvar(np.nanmean(times, axis=1)) - np.nanvar(times, axis=1).mean() / 22
    assert between / known.var() == pytest.approx(0.21, abs=0.06)


def test_wrong_answers_are_as_frequent_and_as_much_faster_as_measured(runs):
    trials = [trial for run in runs for trial in run.trials if not np.isnan(trial.reaction_time)]
    wrong = np.array([trial.feedback == "sad_face" for trial in trials])
    times = np.array([trial.reaction_time for trial in trials])
    assert 0.08 < wrong.mean() < 0.13
    assert times[~wrong].mean() - times[wrong].mean() == pytest.approx(0.07, abs=0.04)
    assert all((trial.press_side != trial.side) == bad for trial, bad in zip(trials, wrong, strict=True))


def test_some_trials_have_several_presses_and_some_a_press_before_the_target(runs):
    several = early = total = 0
    for run in runs[:40]:
        table = _table(run)
        presses = table[table.value.str.endswith("buttonPress")].onset.to_numpy()
        for row in build_trial_table(table).itertuples():
            several += ((presses >= row.stimulus_onset) & (presses < row.trial_stop_onset)).sum() > 1
            early += ((presses >= row.trial_start_onset) & (presses < row.stimulus_onset)).any()
            total += 1
    assert 0.03 < several / total < 0.10
    assert early > 0


def test_the_last_trial_starts_but_never_has_a_target(runs):
    for run in runs[:40]:
        table = _table(run)
        starts = table[table.value == "contrastTrial_start"].onset
        assert len(starts) == 25
        assert not table[table.onset > starts.max()].value.str.endswith("_target").any()
        assert run.seconds > starts.max()


def test_a_run_is_about_as_long_as_a_real_one(runs):
    assert np.mean([run.seconds for run in runs]) == pytest.approx(250, abs=20)


def test_eyes_are_closed_between_the_instructions():
    course = timeline.resting_state(cycles=2, rng=np.random.default_rng(0))
    table = _table(course).set_index("value").onset
    assert list(table["instructed_toCloseEyes"]) == [start for start, _ in course.closed]
    assert list(table["instructed_toOpenEyes"])[1:] == [stop for _, stop in course.closed]
    assert all(stop - start == pytest.approx(40) for start, stop in course.closed)


def test_a_whole_film_ends_with_its_stop_and_a_part_of_it_does_not():
    whole = _table(timeline.movie("ThePresent", seconds=210, rng=np.random.default_rng(0)))
    start, stop = (whole[whole.value == f"video_{edge}"].iloc[0] for edge in ("start", "stop"))
    assert (start.code, stop.code) == ("84", "104")
    assert stop.onset - start.onset == pytest.approx(203.070, abs=0.03)
    part = timeline.movie("ThePresent", seconds=30, rng=np.random.default_rng(0))
    assert "video_stop" not in set(_table(part).value)
    assert 31 <= part.seconds <= 34
