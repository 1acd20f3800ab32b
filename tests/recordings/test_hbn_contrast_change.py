from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from eegdash.hbn.windows import build_trial_table

from cerebro.recordings.events import complete_events, read_events
from cerebro.recordings.hbn_contrast_change import contrast_change_trials, runs_within

ReadSidecar = Callable[[str], pd.DataFrame]


def trial_events(*rows: tuple[float, str]) -> pd.DataFrame:
    return complete_events(pd.DataFrame(rows, columns=["onset", "value"]), source="a test")


@pytest.mark.filterwarnings("error::UserWarning")
def test_trials_of_every_real_contrast_change_file_equal_eegdash(sidecars: Path) -> None:
    files = sorted(sidecars.glob("sub-*/eeg/*_task-contrastChangeDetection*_events.tsv"))
    assert len(files) == 293
    answered = 0
    for path in files:
        expected = build_trial_table(pd.read_csv(path, sep="\t"))
        trials = contrast_change_trials(read_events(path))
        pd.testing.assert_frame_equal(trials[expected.columns], expected)
        answered += int(trials["rt_from_stimulus"].notna().sum())
    assert answered == 7316


def test_an_answer_is_right_where_the_press_is_on_the_targets_side(sidecars: Path) -> None:
    counts = {True: 0, False: 0}
    for path in sidecars.glob("sub-*/eeg/*_task-contrastChangeDetection*_events.tsv"):
        trials = contrast_change_trials(read_events(path))
        trials = trials[trials["rt_from_stimulus"].notna()]
        pressed = trials["response_type"].str.removesuffix("_buttonPress")
        assert ((trials["side"] == pressed) == trials["correct"].astype(bool)).all()
        assert trials["correct"].notna().all()
        for verdict in counts:
            counts[verdict] += int((trials["correct"].astype(bool) == verdict).sum())
    assert counts == {True: 6586, False: 730}


@pytest.mark.parametrize(
    "name", ["sub-NDARAC904DMU_task-ThePresent", "sub-NDARAG143ARJ_task-seqLearning6target"]
)
def test_a_real_file_without_trials_gives_an_empty_table_where_the_reference_has_no_columns(
    name: str, sidecar_path: Callable[[str], Path]
) -> None:
    reference = build_trial_table(pd.read_csv(sidecar_path(name), sep="\t"))
    with pytest.raises(KeyError):
        reference["stimulus_onset"]
    trials = contrast_change_trials(read_events(sidecar_path(name)))
    assert trials.empty
    assert {"stimulus_onset", "rt_from_stimulus", "side", "correct"} <= set(trials)


def test_a_real_trial_of_another_task_is_none_without_its_end(read_sidecar: ReadSidecar) -> None:
    # The movie's file runs on into the first trial of contrast change.
    events = read_sidecar("sub-NDARBX121UM9_task-DiaryOfAWimpyKid")
    assert "contrastTrial_start" in set(events["value"])
    assert contrast_change_trials(events).empty


def test_a_real_target_without_a_press_has_no_reaction_time(read_sidecar: ReadSidecar) -> None:
    trials = contrast_change_trials(read_sidecar("sub-NDARAC904DMU_task-contrastChangeDetection_run-1"))
    missed = trials["stimulus_onset"].notna() & trials["response_onset"].isna()
    assert missed.sum() == 2
    assert trials.loc[missed, "rt_from_stimulus"].isna().all()
    assert trials.loc[missed, "correct"].isna().all()


def test_real_presses_before_the_target_and_after_the_first_one_are_ignored(
    read_sidecar: ReadSidecar,
) -> None:
    events = read_sidecar("sub-NDARAG143ARJ_task-contrastChangeDetection_run-1")
    presses = events.loc[events["value"].str.endswith("buttonPress"), "onset"].to_numpy()
    early = late = 0
    for trial in contrast_change_trials(events).dropna(subset=["rt_from_stimulus"]).itertuples():
        inside = presses[(presses >= trial.trial_start_onset) & (presses < trial.trial_stop_onset)]
        early += (inside < trial.stimulus_onset).any()
        late += (inside > trial.response_onset).any()
        assert trial.response_onset == inside[inside >= trial.stimulus_onset][0]
    assert (early, late) == (3, 1)


def test_a_real_press_at_the_very_moment_of_the_next_start_belongs_to_the_next_trial(
    read_sidecar: ReadSidecar,
) -> None:
    trials = contrast_change_trials(read_sidecar("sub-NDARBK082PDD_task-contrastChangeDetection_run-1"))
    before = trials[trials["trial_stop_onset"] == 179.132]
    assert len(before) == 1
    assert before["rt_from_stimulus"].isna().all()


def test_a_real_movie_inside_a_contrast_change_file_is_no_trial(read_sidecar: ReadSidecar) -> None:
    events = read_sidecar("sub-NDARAM704GKZ_task-contrastChangeDetection_run-2")
    movie = events.loc[events["value"].isin(["video_start", "video_stop"]), "onset"].to_numpy()
    stimuli = contrast_change_trials(events)["stimulus_onset"]
    assert len(movie) == 2
    assert not stimuli.between(*movie).any()


@pytest.mark.parametrize(
    ("name", "runs", "starts"),
    [
        ("sub-NDARAC904DMU_task-contrastChangeDetection_run-1", ["1"], 25),
        ("sub-NDARAM704GKZ_task-contrastChangeDetection_run-2", ["2", "3"], 50),
        # Block 3 was broken off after 15 trials and recorded anew.
        ("sub-NDARZC499NVX_task-contrastChangeDetection_run-2", ["2", "3"], 65),
        # Block 2 was broken off after its first trial.
        ("sub-NDARGX001CB1_task-contrastChangeDetection_run-1", ["1", "2"], 51),
        # The file begins with the last trial of a broken-off attempt, before its own block's marker.
        ("sub-NDAREN519BLJ_task-contrastChangeDetection_run-2", ["2", "3"], 51),
        # The own block starts ten minutes into the file.
        ("sub-NDARNR773DL4_task-contrastChangeDetection_run-3", ["3"], 25),
    ],
)
def test_real_files_tell_by_their_markers_which_runs_they_hold(
    name: str, runs: list[str], starts: int, read_sidecar: ReadSidecar
) -> None:
    events = read_sidecar(name)
    assert runs_within(events) == runs
    assert (events["value"] == "contrastTrial_start").sum() == starts


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
    assert trials["side"].item() == "right"


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


@pytest.mark.parametrize(
    ("name", "blocks", "broken_off", "again"),
    [
        ("sub-NDARGX001CB1_task-contrastChangeDetection_run-1", ["1", "2"], 1, 24),
        ("sub-NDARZC499NVX_task-contrastChangeDetection_run-2", ["2", "3"], 15, 24),
    ],
)
def test_two_real_recordings_of_one_block_in_a_file_are_two_and_both_have_their_trials(
    name: str, blocks: list[str], broken_off: int, again: int, read_sidecar: ReadSidecar
) -> None:
    """The first was broken off; the second is what the block's own file holds."""
    events = read_sidecar(name)
    first, second = events.loc[events["value"] == f"contrastChangeB{blocks[1]}_start", "onset"]
    assert runs_within(events) == blocks
    starts = contrast_change_trials(events)["trial_start_onset"]
    assert starts.between(first, second).sum() == broken_off
    assert (starts > second).sum() == again
