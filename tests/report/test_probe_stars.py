"""Encoders that know nothing, probed on few people: how many tables carry a star."""

from collections.abc import Mapping

import numpy as np
import pytest

from cerebro.config import AnyLabel
from cerebro.probes.forms import Answer, Measure
from cerebro.probes.run import Probed, scored
from cerebro.probes.targets import Target, probe_targets
from cerebro.report.probes import probe_tables
from cerebro.statistics.metrics import auc, balanced_accuracy, mae, mean_recall, mean_value, nrmse, pearson_r

N_SUBJECTS, N_WINDOWS, N_ENCODERS = 12, 15, 4
PEOPLE = np.array([f"s{number:02}" for number in range(N_SUBJECTS)])
WINDOWS = np.repeat(PEOPLE, N_WINDOWS)


def regression(random: np.random.Generator, subjects: np.ndarray, truth: np.ndarray) -> Answer:
    """The mean of the others, and noise on it, of the person and of the window."""
    names = np.unique(subjects)
    floor = np.array([truth[subjects != name].mean() for name in names])[np.searchsorted(names, subjects)]
    noise = random.normal(0, 0.3, len(names))[np.searchsorted(names, subjects)]
    predicted = floor + noise + random.normal(0, 0.1, len(subjects))
    return Answer(
        {
            "nrmse": Measure(nrmse, truth, predicted, floor),
            "mae": Measure(mae, truth, predicted, floor),
            "r": Measure(pearson_r, truth, predicted - floor, np.zeros_like(floor)),
        },
        subjects,
        (1.0,),
        N_SUBJECTS,
        np.arange(len(subjects)),
    )


def classification(random: np.random.Generator, subjects: np.ndarray, truth: np.ndarray) -> Answer:
    names = np.unique(subjects)
    person = random.normal(0, 0.2, len(names))[np.searchsorted(names, subjects)]
    probability = (0.5 + person + random.normal(0, 0.2, len(subjects))).clip(0, 1)
    zeros = np.zeros(len(truth))
    measures = {
        "balanced_accuracy": Measure(balanced_accuracy, truth, probability, zeros),
        "auc": Measure(auc, truth, probability, zeros),
    }
    return Answer(measures, subjects, (1.0,), N_SUBJECTS, np.arange(len(subjects)))


def answers(random: np.random.Generator, labels: dict[str, np.ndarray]) -> dict[str, Answer]:
    """What an encoder that knows nothing answers to each target of both tables."""
    found = {
        name: regression(random, PEOPLE, labels[name]) for name in ("age", "p_factor", "externalizing")
    } | {
        "sex": classification(random, PEOPLE, labels["sex"]),
        "eyes": classification(random, WINDOWS, labels["eyes"]),
        "reaction_time": regression(random, WINDOWS, labels["reaction_time"]),
    }
    favourite = np.repeat(random.integers(0, 4, N_SUBJECTS), N_WINDOWS)
    guess = np.where(random.random(len(WINDOWS)) < 0.5, favourite, random.integers(0, 4, len(WINDOWS)))
    zeros = np.zeros(len(WINDOWS))
    task = Measure(mean_recall, labels["task"], guess.astype(float), zeros)
    person = np.repeat(random.normal(0, 0.05, N_SUBJECTS), N_WINDOWS)
    rank = (person + random.random(len(WINDOWS))).clip(0, 1)
    moment = Measure(mean_value, zeros, rank, np.full(len(WINDOWS), 0.5))
    taken_for = np.repeat(random.exponential(1 / N_SUBJECTS, N_SUBJECTS).clip(0, 1), N_WINDOWS)
    hit = (random.random(len(WINDOWS)) < taken_for).astype(float)
    who = Measure(mean_value, zeros, hit, np.full(len(WINDOWS), 1 / N_SUBJECTS))
    for name, metric, measure in (
        ("task", "balanced_accuracy", task),
        ("movie", "rank", moment),
        ("identity", "accuracy", who),
    ):
        found[name] = Answer({metric: measure}, WINDOWS, (1.0,), N_SUBJECTS, np.arange(len(WINDOWS)))
    return found


@pytest.fixture
def targets(labels: Mapping[str, AnyLabel]) -> dict[str, Target]:
    return probe_targets([*labels, "identity"], labels)


def contents(random: np.random.Generator, targets: Mapping[str, Target]) -> list[dict]:
    """The files of all encoders of one study, probed on the same people."""
    labels = {name: random.normal(size=N_SUBJECTS) for name in ("age", "p_factor", "externalizing")}
    labels["sex"] = random.permutation(np.arange(N_SUBJECTS) % 3 > 0).astype(float)
    labels["eyes"] = np.tile(np.arange(N_WINDOWS) % 2, N_SUBJECTS).astype(float)
    labels["task"] = np.tile(np.arange(N_WINDOWS) % 4, N_SUBJECTS).astype(float)
    person = np.repeat(random.normal(0, 0.46, N_SUBJECTS), N_WINDOWS)
    labels["reaction_time"] = person + random.normal(0, 0.89, len(WINDOWS))
    return [
        {
            "node": f"encoder_{number}",
            "targets": {
                name: scored(Probed(found), targets[name], resamples=200)
                for name, found in answers(random, labels).items()
            },
        }
        for number in range(N_ENCODERS)
    ]


@pytest.mark.slow
def test_a_study_in_which_nothing_is_known_carries_a_star_in_about_one_table_of_twenty(
    targets: Mapping[str, Target],
) -> None:
    """Forty cells of a dozen people, two tables together; without correction most studies would have one."""
    print("seed 40")
    random = np.random.default_rng(40)
    n_studies, starred, alone = 150, 0, 0
    for _ in range(n_studies):
        files = contents(random, targets)
        cells = [cell for table in probe_tables(files) for row in table.rows for cell in row[1:]]
        assert len(cells) == 9 * (N_ENCODERS + 1)
        starred += any("*" in cell for cell in cells)
        single = [
            score["p"]
            for file in files
            for one in file["targets"].values()
            for score in one["metrics"].values()
        ]
        alone += min(single) < 0.05
    print(starred / n_studies, alone / n_studies)
    assert starred / n_studies <= 0.08  # .05 and two standard errors
    assert alone / n_studies > 0.5


def test_what_one_encoder_knows_is_starred_among_others_that_know_nothing(
    targets: Mapping[str, Target],
) -> None:
    print("seed 41")
    random = np.random.default_rng(41)
    files = contents(random, targets)
    truth = np.tile(np.arange(N_WINDOWS) % 2, N_SUBJECTS).astype(float)
    probability = (0.5 + 0.3 * (truth - 0.5) + random.normal(0, 0.2, len(truth))).clip(0, 1)
    measure = Measure(balanced_accuracy, truth, probability, np.zeros(len(truth)))
    known = Answer({"balanced_accuracy": measure}, WINDOWS, (1.0,), N_SUBJECTS, np.arange(len(truth)))
    files[2]["targets"]["eyes"] = scored(Probed(known), targets["eyes"], resamples=200)
    starred = {
        (row[0], name.partition("\n")[0])
        for table in probe_tables(files)
        for row in table.rows
        for name, cell in zip(table.header, row, strict=True)
        if "*" in cell
    }
    assert starred == {("encoder_2", "eyes")}
