"""The oracle against the simulation's own behaviour, and on a population that has nothing to read."""

import numpy as np
import pandas as pd
import pytest

from cerebro.errors import UserError
from cerebro.files import write_json
from cerebro.simulation import timeline
from cerebro.simulation.oracle import expected_reaction_time, oracle
from cerebro.simulation.subjects import child_name, draw_child

CHILDREN = [draw_child(0, child_name("R5", number)) for number in range(300)]


@pytest.fixture
def marker_of(tmp_path):
    def write(population: str):
        folder = tmp_path / population
        folder.mkdir()
        pd.DataFrame([child.latents() for child in CHILDREN]).to_parquet(folder / "ground_truth.parquet")
        write_json(folder / "simulation.json", {"settings": {"effects": population}})
        return folder / "simulation.json"

    return write


def test_a_subject_s_expectation_is_the_mean_of_many_of_its_trials():
    print("seed 0")
    rng = np.random.default_rng(0)
    for child in sorted(CHILDREN[:20], key=lambda child: child.speed)[::6]:
        course = timeline.contrast_change(child, trials=3000, rng=rng)
        times = [trial.reaction_time for trial in course.trials]
        expected = expected_reaction_time(np.array([child.speed]), 1)[0]
        assert np.nanmean(times) == pytest.approx(expected, abs=0.03)


def test_externalizing_is_told_as_far_as_its_correlations_with_latents_allow(marker_of):
    names = [child.name for child in CHILDREN]
    found = oracle(names, "externalizing", marker=marker_of("published"))
    truth = np.array([child.externalizing for child in CHILDREN])
    correlation = np.corrcoef(found, truth)[0, 1]
    # age alone has r -.24, all latents together not much more
    assert 0.15 < correlation < 0.5
    assert np.sqrt(np.mean((found - truth) ** 2)) / truth.std() < 1


def test_the_null_population_has_nothing_to_read(marker_of):
    marker = marker_of("null")
    for target in ("reaction_time", "externalizing"):
        assert np.ptp(oracle([child.name for child in CHILDREN], target, marker=marker)) < 1e-12
    anyone = expected_reaction_time(None, 1)[0]
    everyone = expected_reaction_time(np.array([child.speed for child in CHILDREN]), len(CHILDREN))
    assert anyone == pytest.approx(everyone.mean(), abs=0.03)


def test_windows_are_answered_by_their_subject_and_strangers_are_refused(marker_of):
    marker = marker_of("published")
    first, second = CHILDREN[0].name, CHILDREN[1].name
    answers = oracle([first, second, first], "reaction_time", marker=marker)
    assert answers[0] == answers[2] != answers[1]
    with pytest.raises(UserError, match="sub-STRANGER is not in the ground truth"):
        oracle(["sub-STRANGER"], "reaction_time", marker=marker)
