"""Shrinkage towards the mean: smooth in what subjects say, mild to models that know, harmless with others."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import integrate, stats

from cerebro.phases.shrinkage import shrinkage

ROOT = Path(__file__).parents[2]


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The simulation by which the prior was chosen: ``python -m benchmarks.shrinkage``."""
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.shrinkage")


def study(random, n_subjects, *, skill, windows=20):
    """Predicted and true deviations, and subjects; the best factor on predictions is ``skill``."""
    subjects = np.repeat(np.arange(n_subjects), windows)
    predicted = random.normal(size=len(subjects))
    return predicted, skill * predicted + random.normal(size=len(subjects)), subjects


@pytest.mark.parametrize("candidates", [1, 5])
def test_the_factor_is_the_posterior_mean_by_numerical_integration(candidates):
    predicted = np.array([1.0, -1.0, 2.0, 0.0, -1.0, 1.0])
    truth = np.array([0.9, 0.8, 1.1, 0.1, -0.9, 1.1])
    subjects = np.array(["a", "a", "b", "b", "c", "c"])
    slope = (0.9 - 0.8 + 2.2 + 0.9 + 1.1) / 8
    without = np.array([(2.2 + 0.9 + 1.1) / 6, (0.9 - 0.8 + 0.9 + 1.1) / 4, (0.9 - 0.8 + 2.2) / 6])
    error = np.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum())

    def likelihood(b):
        return stats.t.pdf((slope - b) / error, df=2)

    right, of_right = (
        integrate.quad(f, 0, 1)[0] / candidates for f in (likelihood, lambda b: b * likelihood(b))
    )
    expected = of_right / (right + likelihood(0.0) + integrate.quad(likelihood, -1, 0)[0])
    assert shrinkage(predicted, truth, subjects, candidates=candidates) == pytest.approx(expected, abs=1e-3)
    assert 0.1 < expected < 0.9


def test_there_is_no_line_at_which_a_model_is_kept_or_dropped():
    """As the evidence of three subjects grows from against a model to all for it, its factor never jumps."""
    print("seed 5")
    predicted, noise, subjects = study(np.random.default_rng(5), 3, skill=0.0)
    skills = np.linspace(-1.5, 1.5, 601)
    factors = [shrinkage(predicted, noise + skill * predicted, subjects) for skill in skills]
    steps = np.diff(factors)
    assert steps.min() > -1e-3  # the grid of slopes
    assert steps.max() < 0.02
    assert factors[-1] > 0.8


@pytest.mark.parametrize("n_subjects", [3, 6, 13, 50])
def test_models_that_know_nothing_cost_little_however_few_subjects_judge_them(simulation, n_subjects):
    print("seed 1")
    for model in simulation.WORTHLESS:
        found = simulation.simulate(model, n_subjects, draws=6000, seed=1)
        print(model.name, found["now"])
        assert found["now"]["harm"] < 0.006 < found["none"]["harm"] / 5
        assert found["now"]["worse_by_one"] < 0.2


@pytest.mark.parametrize("n_subjects", [3, 6, 13, 50])
def test_models_that_know_something_keep_more_and_differ_less_between_seeds_than_before(
    simulation, n_subjects
):
    print("seed 2")
    for model in simulation.USEFUL:
        found = simulation.simulate(model, n_subjects, draws=6000, seed=2)
        print(model.name, found["now"], found["before"])
        assert found["now"]["kept"] > found["before"]["kept"] - 0.01
        assert found["now"]["between_seeds"] <= max(found["before"]["between_seeds"], 0.004)
        assert 0.85 < found["now"]["covered"] < 0.98


def test_the_tables_of_the_page_can_be_made_again(simulation, monkeypatch, capsys):
    """Row by row, of the same names."""
    monkeypatch.setattr("sys.argv", ["shrinkage", "--small"])
    simulation.main()
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(rows) == 3 + 4 * (len(simulation.WORTHLESS) + len(simulation.USEFUL)) + len(simulation.PRIORS)
    page = (ROOT / "docs" / "submission.md").read_text().replace("**", "").splitlines()
    written = {line.split("|")[1].strip() for line in page if line.startswith("| ")}
    assert {row[0].strip() for row in rows[2:]} - {"prior"} <= written


def test_of_the_priors_that_were_tried_the_one_that_is_used_harms_least_for_what_it_keeps(simulation):
    nothing, wrong = simulation.WORTHLESS[0], simulation.WORTHLESS[3]
    rules = {name: simulation.expected_factor(before) for name, before in simulation.PRIORS.items()}
    found = [
        simulation.simulate(model, 3, rules=rules, draws=4_800)
        for model in (nothing, wrong, simulation.useful(0.45))
    ]
    even, doubtful = "even between 0 and 1", "two thirds nothing, a third even between 0 and 1"
    used = "a third each: nothing, right way, wrong way"
    assert 0.001 < found[0][used]["harm"] < found[0][even]["harm"] / 2
    assert min(rules, key=lambda name: found[1][name]["harm"]) == used
    assert found[2][doubtful]["kept"] < found[2][used]["kept"] < found[2][even]["kept"]


def test_the_best_of_many_useless_models_is_not_taken_for_a_good_one_by_those_who_chose_it():
    print("seed 3")
    random = np.random.default_rng(3)
    harm = {1: [], 20: []}
    for _ in range(200):
        _, truth, subjects = study(random, 100, skill=0.0, windows=5)
        models = [study(random, 100, skill=0.0, windows=5)[0] for _ in range(20)]
        best = min(models, key=lambda predicted: np.square(truth - 0.3 * predicted).sum())
        for candidates, found in harm.items():
            found.append(shrinkage(best, truth, subjects, candidates=candidates) ** 2)
    assert np.mean(harm[20]) < np.mean(harm[1]) / 2
    assert np.mean(harm[20]) < 0.001


def test_more_subjects_bring_the_factor_to_the_slope():
    print("seed 3")
    found = shrinkage(*study(np.random.default_rng(3), 400, skill=0.4))
    assert found == pytest.approx(0.4, abs=0.05)


def test_predictions_that_are_all_right_keep_everything():
    random = np.random.default_rng(6)
    predicted, _, subjects = study(random, 3, skill=1.0)
    assert shrinkage(predicted, predicted, subjects) == pytest.approx(1.0)
    assert shrinkage(predicted, -predicted, subjects) == pytest.approx(0.0)


def test_nothing_is_told_by_one_subject_or_by_a_constant():
    random = np.random.default_rng(4)
    assert shrinkage(*study(random, 1, skill=1.0)) == 0
    predicted, truth, subjects = study(random, 5, skill=1.0)
    assert shrinkage(0 * predicted, truth, subjects) == 0
