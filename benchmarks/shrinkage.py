"""Gain that shrinkage costs a model that has learned something, and harm that it spares the others.

``python -m benchmarks.shrinkage [--small]`` simulates studies, judges each by 3, 6, 13 and 50 validation
subjects, and prints what happens on new windows: with :func:`cerebro.phases.shrinkage.shrinkage`, with the
rule that it replaced, and without any.

A subject has 65 trials; 21 % of the variance of reaction times is between subjects, and what is left has an
autocorrelation of .3, as in HBN; a trait has all of it between subjects. Half of the variance that
predictions owe to noise is between subjects as well, and how much of the truth they hold differs between
people by half of its mean. A study has four seeds, that is four models with noise of their own, judged by the
same people.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from cerebro.phases.shrinkage import BEST_FACTORS, SLOPES, jackknife, posterior, prior

SUBJECTS = (3, 6, 13, 50)
TRIALS, BETWEEN, AUTOCORRELATION = 65, 0.21, 0.3
PEOPLE_DIFFER, NOISE_BETWEEN = 0.5, 0.5
SEEDS, DRAWS = 4, 24_000
"""Models of a study; models drawn for each row, fewer by the number of subjects."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A kind of model, in deviations of the truth.

    Parameters
    ----------
    covariance, variance : float
        Of predictions with the truth over windows, and of predictions; slope is the one over the other.
    between : float
        Share of the truth's variance that is between subjects.
    """

    name: str
    covariance: float
    variance: float
    between: float = BETWEEN

    def score(self, factor: Array) -> Array:
        """NRMSE on new people; the constant scores 1."""
        return np.sqrt(1 - 2 * factor * self.covariance + factor**2 * self.variance)


def useful(r: float, slope: float = 1.0, between: float = BETWEEN) -> Model:
    """A model with a correlation and a slope of the truth on its predictions; below 1 it overstates."""
    target = "trait" if between == 1 else "reaction time"
    return Model(f"{target}, r {r:g}, slope {slope:g}", r**2 / slope, (r / slope) ** 2, between)


WORTHLESS = (
    Model("reaction time, nothing, deviation .3", 0.0, 0.09),
    Model("reaction time, nothing, deviation .6", 0.0, 0.36),
    Model("trait, nothing, deviation .3", 0.0, 0.09, between=1.0),
    Model("reaction time, wrong way, r -.15", -0.045, 0.09),
)
USEFUL = (useful(0.2), useful(0.3), useful(0.45), useful(0.6), useful(0.45, 0.6), useful(0.2, between=1.0))


def judged(
    model: Model, n_subjects: int, random: np.random.Generator, *, studies: int
) -> tuple[Array, Array]:
    """Slopes and standard errors as validation subjects tell them, shape (studies, SEEDS)."""

    def course(*shape: int) -> Array:
        noise = random.standard_normal((*shape, TRIALS))
        noise[..., 1:] *= np.sqrt(1 - AUTOCORRELATION**2)
        return lfilter([1.0], [1.0, -AUTOCORRELATION], noise, axis=-1)

    people = random.standard_normal((studies, 1, n_subjects, 1))
    truth = np.sqrt(model.between) * people + np.sqrt(1 - model.between) * course(studies, 1, n_subjects)
    each = 1 + PEOPLE_DIFFER * random.standard_normal((studies, 1, n_subjects, 1))
    noise = model.variance - (1 + PEOPLE_DIFFER**2) * model.covariance**2
    own = random.standard_normal((studies, SEEDS, n_subjects, 1))
    predicted = model.covariance * each * truth + np.sqrt(noise) * (
        np.sqrt(NOISE_BETWEEN) * own + np.sqrt(1 - NOISE_BETWEEN) * course(studies, SEEDS, n_subjects)
    )
    return jackknife((predicted * truth).sum(axis=-1), np.square(predicted).sum(axis=-1))


def replaced_rule(slope: Array, error: Array, n_subjects: int) -> Array:
    """The rule before: a positive-part factor, 0 unless the slope is above 0 with 95 % confidence."""
    threshold = stats.t.ppf(0.95, n_subjects - 1) * error
    kept = slope > threshold
    return np.where(kept, (slope * (1 - (threshold / np.where(kept, slope, 1.0)) ** 2)).clip(0, 1), 0.0)


Rule = Callable[[Array, Array, int], Array]


def expected_factor(before: Array) -> Rule:
    """The rule with a prior on the slope."""

    def rule(slope: Array, error: Array, count: int) -> Array:
        with np.errstate(divide="ignore"):  # of priors that rule a slope out
            return posterior(slope, error, count, before=before) @ BEST_FACTORS

    return rule


RULES: dict[str, Rule] = {
    "none": lambda slope, error, count: np.ones_like(slope),
    "before": replaced_rule,
    "now": expected_factor(prior()),
}


def spread(*, nothing: float, right: float, wrong: float) -> Array:
    """A prior from the weights of slope 0 and of slopes even between 0 and 1, and between -1 and 0."""
    believed = np.zeros_like(SLOPES)
    for way, share in ((0, nothing), (1, right), (-1, wrong)):
        there = np.sign(SLOPES) == way
        believed[there] = share / there.sum()
    return believed


PRIORS = {
    "even between 0 and 1": spread(nothing=0.0, right=1.0, wrong=0.0),
    "even between -1 and 1": spread(nothing=0.0, right=1 / 2, wrong=1 / 2),
    "half nothing, half even between 0 and 1": spread(nothing=1 / 2, right=1 / 2, wrong=0.0),
    "a third each: nothing, right way, wrong way": prior(),
    "two thirds nothing, a third even between 0 and 1": spread(nothing=2 / 3, right=1 / 3, wrong=0.0),
}
"""What was tried before subjects speak; docs/submission.md says which was taken."""


def coverage(model: Model, slope: Array, error: Array, n_subjects: int) -> float:
    """Share of cases in which Student's t of the likelihood holds the slope; nominal .95."""
    distance = np.abs(slope - model.covariance / model.variance)
    return float((distance <= stats.t.ppf(0.975, n_subjects - 1) * error).mean())


def simulate(
    model: Model, n_subjects: int, *, rules: Mapping[str, Rule] = RULES, draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Harm and gain of each rule for a model.

    Returns
    -------
    dict of str to dict
        By rule: ``harm``, the mean NRMSE less the constant's; ``worse_by_half``, ``worse_by_one``, how often
        it is more than .005 and .01; ``kept``, the share of the model's best gain in squared error; and
        ``between_seeds``, the deviation of the NRMSE between seeds of a study; ``covered``, how often the
        interval of the slope holds the true one, is the same for all.
    """
    random = np.random.default_rng(seed)
    slope, error = judged(model, n_subjects, random, studies=max(10, draws // SEEDS // n_subjects))
    best = model.covariance**2 / model.variance
    found: dict[str, dict[str, float]] = {}
    for name, rule in rules.items():
        score = model.score(rule(slope, error, n_subjects))
        found[name] = {
            "harm": float((score - 1).mean()),
            "worse_by_half": float((score > 1.005).mean()),
            "worse_by_one": float((score > 1.01).mean()),
            "kept": float((1 - score**2).mean() / best) if best else float("nan"),
            "between_seeds": float(score.std(axis=1, ddof=1).mean()),
        }
        found[name]["covered"] = coverage(model, slope, error, n_subjects)
    return found


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shrinkage")
    parser.add_argument("--small", action="store_true", help="few draws: does it still work?")
    draws = 480 if parser.parse_args().small else DRAWS
    print("seed 0\n\n### Models that know nothing, or less: NRMSE above that of the constant\n")
    print("| model | subjects | no rule | before: mean, > .5 %, > 1 % | now: the same | slope covered |")
    print("|---|---:|---:|---:|---:|---:|")
    for model in WORTHLESS:
        for count in SUBJECTS:
            found = simulate(model, count, draws=draws)
            cells = [
                f"{100 * one['harm']:.2f} %, {one['worse_by_half']:.0%}, {one['worse_by_one']:.0%}"
                for one in (found["before"], found["now"])
            ]
            none = f"{100 * found['none']['harm']:.1f} %"
            row = f"| {model.name} | {count} | {none} | {cells[0]} | {cells[1]} | "
            print(f"{row}{found['now']['covered']:.0%} |", flush=True)
    print("\n### Models that know something: share of the gain kept, deviation of the NRMSE between seeds\n")
    print("| model | subjects | no rule | before: kept, deviation | now: the same | slope covered |")
    print("|---|---:|---:|---:|---:|---:|")
    for model in USEFUL:
        for count in SUBJECTS:
            found = simulate(model, count, draws=draws)
            cells = [
                f"{one['kept']:.2f}, {one['between_seeds']:.3f}" for one in (found["before"], found["now"])
            ]
            row = f"| {model.name} | {count} | {found['none']['kept']:.2f} | {cells[0]} | {cells[1]} | "
            print(f"{row}{found['now']['covered']:.0%} |", flush=True)
    count = SUBJECTS[0]
    print(f"\n### Priors on the slope, judged by {count} subjects: harm, and share of the gain kept\n")
    models = (*WORTHLESS[:2], WORTHLESS[3], useful(0.45))
    print(f"| prior | {' | '.join(model.name for model in models)} |")
    print("|---|---:|---:|---:|---:|")
    rules = {name: expected_factor(before) for name, before in PRIORS.items()}
    found_by = [simulate(model, count, rules=rules, draws=draws) for model in models]
    for name in PRIORS:
        harms = [f"{100 * found[name]['harm']:.2f} %" for found in found_by[:-1]]
        print(f"| {name} | {' | '.join(harms)} | {found_by[-1][name]['kept']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
