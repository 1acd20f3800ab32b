from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cerebro.recordings.events import complete_events, read_events
from cerebro.recordings.hbn_conditions import learning_blocks, surround_stimuli, symbol_trials

ReadSidecar = Callable[[str], pd.DataFrame]


def test_every_real_surround_suppression_has_its_64_stimuli_of_2400_ms(sidecars: Path) -> None:
    files = sorted(sidecars.glob("sub-*/eeg/*_task-surroundSupp_run-*_events.tsv"))
    assert len(files) == 21
    seen: dict[str, Counter[str]] = {}
    for path in files:
        table = pd.read_csv(path, sep="\t")
        shown = table[table["value"] == "stim_ON"]
        stimuli = surround_stimuli(read_events(path), duration=1e6)
        np.testing.assert_allclose(stimuli["start"], shown["onset"])
        np.testing.assert_allclose(stimuli["stop"] - stimuli["start"], shown["duration"])
        assert (shown["duration"] == 2.4).all()
        parts = stimuli["condition"].str.extract(r"bg(.*)_fg(.*)_cond(.*)").astype(float)
        np.testing.assert_array_equal(
            parts, shown[["background", "foreground_contrast", "stimulus_cond"]].to_numpy(float)
        )
        assert len(stimuli) == 64
        seen.setdefault(path.name.split("run-")[1], Counter(stimuli["condition"]))
        assert Counter(stimuli["condition"]) == seen[path.name.split("run-")[1]]
    assert [len(conditions) for conditions in seen.values()] == [22, 21]


def test_a_real_movie_at_the_end_of_surround_suppression_is_no_stimulus(read_sidecar: ReadSidecar) -> None:
    events = read_sidecar("sub-NDARAC904DMU_task-surroundSupp_run-2")
    movie = events.loc[events["value"] == "video_start", "onset"].item()
    assert surround_stimuli(events, duration=486.256)["stop"].max() < movie


@pytest.mark.parametrize("dots", [6, 8])
def test_every_real_sequence_learning_has_its_five_blocks_and_answers(sidecars: Path, dots: int) -> None:
    files = sorted(sidecars.glob(f"sub-*/eeg/*_task-seqLearning{dots}target_events.tsv"))
    assert len(files) == {6: 4, 8: 7}[dots]
    for path in files:
        table = pd.read_csv(path, sep="\t")
        blocks = learning_blocks(read_events(path), duration=1e6)
        assert list(blocks["condition"]) == [f"block{number}" for number in range(1, 6)]
        assert list(blocks["start"]) == list(table.loc[table["value"].str.match("learning"), "onset"])
        answers = table.dropna(subset=["user_answer"])
        for correct, answer in zip(blocks["correct"], answers.itertuples(), strict=True):
            pairs = zip(answer.user_answer.split("-"), answer.correct_answer.split("-"), strict=True)
            assert correct == pytest.approx(np.mean([given == right for given, right in pairs]))
        assert list(blocks["stop"]) == list(answers["onset"])  # the answer stands in the last dot's row


def test_every_real_symbol_search_trial_begins_where_the_one_before_ended(sidecars: Path) -> None:
    files = sorted(sidecars.glob("sub-*/eeg/*_task-symbolSearch_events.tsv"))
    assert len(files) == 8
    wrong = 0
    for path in files:
        table = pd.read_csv(path, sep="\t")
        answers = table[table["value"] == "trialResponse"]
        trials = symbol_trials(read_events(path), duration=1e6)
        assert list(trials["stop"]) == list(answers["onset"])
        assert (trials["start"].iloc[1:].to_numpy() >= trials["stop"].iloc[:-1].to_numpy()).all()
        np.testing.assert_array_equal(trials["condition"] == "present", answers["correct_answer"] == 1)
        np.testing.assert_array_equal(
            trials["correct"] == 1, answers["correct_answer"] == answers["user_answer"]
        )
        wrong += int((trials["correct"] == 0).sum())
    assert wrong == 8


@pytest.mark.parametrize("missing", [["user_answer"], ["user_answer", "correct_answer"]])
def test_without_their_columns_answers_are_unknown_and_the_intervals_stay(
    missing: list[str], sidecar_path: Callable[[str], Path], tmp_path: Path
) -> None:
    for name, find in (
        ("sub-NDARAC904DMU_task-symbolSearch", symbol_trials),
        ("sub-NDARAC904DMU_task-seqLearning8target", learning_blocks),
    ):
        whole = pd.read_csv(sidecar_path(name), sep="\t", dtype=str, keep_default_na=False)
        whole.drop(columns=missing).to_csv(tmp_path / name, sep="\t", index=False)
        found = find(read_events(tmp_path / name), duration=1e6)
        expected = find(read_events(sidecar_path(name)), duration=1e6)
        pd.testing.assert_frame_equal(found[["start", "stop"]], expected[["start", "stop"]])
        assert found["correct"].isna().all()


def test_a_stimulus_whose_condition_is_not_said_has_none(
    sidecar_path: Callable[[str], Path], tmp_path: Path
) -> None:
    table = pd.read_csv(sidecar_path("sub-NDARAC904DMU_task-surroundSupp_run-1"), sep="\t", dtype=str)
    table.drop(columns="background").to_csv(tmp_path / "events.tsv", sep="\t", index=False)
    stimuli = surround_stimuli(read_events(tmp_path / "events.tsv"), duration=1e6)
    assert len(stimuli) == 64
    assert set(stimuli["condition"]) == {""}


def test_a_stimulus_lasts_as_its_row_says_and_else_as_in_hbn() -> None:
    columns = ["background", "foreground_contrast", "stimulus_cond"]
    rows = [
        (10.0, 4.0, "stim_ON"),
        (20.0, "n/a", "stim_ON"),
        (30.0, 9.0, "stim_ON"),
        (35.0, 0, "fixpoint_ON"),
    ]
    table = pd.DataFrame(rows, columns=["onset", "duration", "value"]).assign(**dict.fromkeys(columns, "1"))
    stimuli = surround_stimuli(complete_events(table, source="a test"), duration=100.0)
    assert list(stimuli["stop"] - stimuli["start"]) == pytest.approx([4.0, 2.4, 5.0])
