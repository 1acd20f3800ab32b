"""Who is simulated: the latents of a child of HBN or a patient of TUH, drawn from their own seed.

A subject depends on the population's seed and on its own name, on nothing else: adding one changes no other.
"""

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cerebro.simulation import effects
from cerebro.simulation.populations import PUBLISHED, Effects

_LETTERS = "ABCDEFGHJKLMNPRTUVWXYZ"


@dataclass(frozen=True)
class Subject:
    """The latents of one person; factors are NaN for TUH, and where the questionnaire is missing."""

    name: str
    age: float
    """Years."""
    male: bool
    p_factor: float
    attention: float
    internalizing: float
    externalizing: float
    questionnaire: bool
    """Whether the factors are known to the participants table."""
    handedness: float
    speed: float
    """Standard score of the mean reaction time: positive is slow."""
    alpha_hz: float
    alpha_uv: float
    """RMS at the best electrode, eyes closed."""
    exponent: float
    """Aperiodic exponent: power falls as frequency to this power."""
    background_uv: float
    """Aperiodic offset, as the RMS over the scalp."""
    beta_uv: float
    cpp_uv: float
    """Peak of the centro-parietal positivity."""
    film_uv: float
    film_delay: float
    """Seconds by which movie-driven activity lags the average child's."""
    head_radius: float
    """Metres."""
    blinks_per_minute: float
    effects: Effects = field(default=PUBLISHED, repr=False)
    """Those of the subject's population."""

    def latents(self) -> dict[str, object]:
        """All fields but the population's effects, as a row of the ground truth."""
        return {key: value for key, value in asdict(self).items() if key != "effects"}


def subject_rng(seed: int, name: str, *parts: str) -> np.random.Generator:
    """The random stream of one subject and purpose, independent of all others.

    Parameters
    ----------
    seed
        Of the population.
    name
        Of the subject.
    parts
        What it is for, for instance a task and a run.
    """
    digest = sha256("/".join((name, *parts)).encode()).digest()
    words = np.frombuffer(digest, dtype=np.uint32)
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))


def child_name(release: str, index: int) -> str:
    """The participant id of a release's subject, in HBN's form: ``sub-NDARAB123CDE``."""
    rng = subject_rng(0, "name", release, str(index))
    a, b = rng.choice(list(_LETTERS), 2)
    tail = rng.choice(list(_LETTERS + "0123456789"), 3)
    return f"sub-NDAR{a}{b}{rng.integers(100, 1000)}{''.join(tail)}"


def patient_name(index: int) -> str:
    """The id of a TUH patient: eight letters, counted from ``aaaaaaaa``."""
    letters = []
    for _ in range(8):
        index, letter = divmod(index, 26)
        letters.append(chr(ord("a") + letter))
    return "".join(reversed(letters))


def draw_child(seed: int, name: str, population: Effects = PUBLISHED) -> Subject:
    """Draw an HBN participant: age, sex and factors together, then what depends on them."""
    rng = subject_rng(seed, name, "latents")
    correlation = _score_correlations()
    scores = np.linalg.cholesky(correlation) @ rng.standard_normal(len(correlation))
    age = _age_of_score(scores[0])
    male = bool(scores[1] > stats.norm.ppf(1 - effects.MALE_SHARE))
    # factors at constant age, since that is how their relation to alpha frequency was measured
    on_age = correlation[2:, 0]
    at_constant_age = (scores[2:] - on_age * scores[0]) / np.sqrt(1 - on_age**2)
    partial = (correlation[2:, 2:] - np.outer(on_age, on_age)) / np.sqrt(
        np.outer(1 - on_age**2, 1 - on_age**2)
    )
    ages, frequencies = np.array(effects.ALPHA_HZ_BY_AGE).T
    alpha_hz = float(np.interp(age, ages, frequencies))
    alpha_hz += effects.ALPHA_HZ_MALE * (male - effects.MALE_SHARE)
    alpha_hz += population.alpha_hz_sd * _correlated_score(
        rng, scores=at_constant_age, correlation=partial, wanted=np.array(effects.ALPHA_HZ_FACTORS)
    )

    def related(**wanted: float) -> float:
        rows = [_SCORES.index(key) for key in wanted]
        return _correlated_score(
            rng,
            scores=scores[rows],
            correlation=correlation[np.ix_(rows, rows)],
            wanted=np.array(list(wanted.values())),
        )

    return _complete(
        rng,
        population,
        name=name,
        age=age,
        male=male,
        factors=scores[2:] * np.array(effects.FACTOR_SD),
        questionnaire=bool(rng.random() >= effects.MISSING_FACTORS),
        alpha_hz=alpha_hz,
        speed=related(age=effects.SPEED_AGE, externalizing=effects.SPEED_EXTERNALIZING),
        cpp_score=related(externalizing=effects.CPP_EXTERNALIZING),
        film_score=related(attention=effects.FILM_ATTENTION),
    )


def draw_patient(seed: int, name: str, population: Effects = PUBLISHED) -> Subject:
    """Draw a TUH patient: mostly adults, some with a slow background."""
    rng = subject_rng(seed, name, "latents")
    age = float(
        np.clip(rng.normal(effects.PATIENT_AGE_MEAN, effects.PATIENT_AGE_SD), *effects.PATIENT_AGE_RANGE)
    )
    alpha_hz = effects.ALPHA_HZ_BY_AGE[-1][1] + population.alpha_hz_sd * rng.standard_normal()
    alpha_hz += effects.ALPHA_HZ_PER_YEAR_ABOVE_40 * max(age - 40, 0)
    if rng.random() < effects.CLINICAL_SLOWING:
        alpha_hz += effects.CLINICAL_SLOWING_HZ
    return _complete(
        rng,
        population,
        name=name,
        age=age,
        male=bool(rng.random() < 0.5),
        factors=np.full(len(effects.FACTORS), np.nan),
        questionnaire=False,
        alpha_hz=float(alpha_hz),
        speed=0.0,
        cpp_score=0.0,
        film_score=0.0,
    )


def stand_in(subject: Subject, seed: int) -> Subject:
    """Another person of the subject's population, always the same one: a child for a child.

    What is drawn depends on the seed and on the subject's name, and on nothing that is true of the subject.
    """
    draw = draw_patient if np.isnan(subject.p_factor) else draw_child
    return draw(seed, f"{subject.name}, another person", subject.effects)


_SCORES = ("age", "male", *effects.FACTORS)


@lru_cache
def _score_correlations() -> NDArray[np.float64]:
    """Correlations of the normal scores behind age, sex and the factors.

    Sex is a normal score cut at a threshold, which weakens its correlations by a known factor (the biserial
    correction); age is a monotone function of its score, which changes them by less than 3 %.
    """
    threshold = stats.norm.ppf(1 - effects.MALE_SHARE)
    weakening = stats.norm.pdf(threshold) / np.sqrt(effects.MALE_SHARE * (1 - effects.MALE_SHARE))
    matrix = np.eye(len(_SCORES))
    for (first, second), value in effects.CORRELATIONS.items():
        row, column = _SCORES.index(first), _SCORES.index(second)
        corrected = value / weakening if "male" in (first, second) else value
        matrix[row, column] = matrix[column, row] = corrected
    return matrix


def _age_of_score(score: float) -> float:
    """Map a normal score to an age: a gamma distribution above the youngest age, cut at the oldest."""
    youngest, oldest = effects.AGE_RANGE
    years = stats.gamma(effects.AGE_SHAPE, scale=effects.AGE_SCALE)
    return youngest + float(years.ppf(stats.norm.cdf(score) * years.cdf(oldest - youngest)))


def _correlated_score(
    rng: np.random.Generator,
    *,
    scores: NDArray[np.float64],
    correlation: NDArray[np.float64],
    wanted: NDArray[np.float64],
) -> float:
    """Draw a standard score with ``wanted`` (k,) correlations to ``scores`` (k,), themselves correlated."""
    weights = np.linalg.solve(correlation, wanted)
    return float(weights @ scores + np.sqrt(1 - weights @ wanted) * rng.standard_normal())


def _complete(
    rng: np.random.Generator,
    population: Effects,
    *,
    name: str,
    age: float,
    male: bool,
    factors: NDArray[np.float64],
    questionnaire: bool,
    alpha_hz: float,
    speed: float,
    cpp_score: float,
    film_score: float,
) -> Subject:
    grown = min(age, effects.ADULT_AGE) - 10  # years of development since 10
    if age < effects.ADULT_AGE:
        exponent = effects.EXPONENT_AT_10 + population.exponent_per_year * grown
    else:
        exponent = effects.EXPONENT_ADULT + effects.EXPONENT_ADULT_PER_YEAR * (age - effects.ADULT_AGE)
    growth = 1 - np.exp(-max(age - 5, 0) / effects.HEAD_GROWTH_YEARS)
    adult_radius = effects.HEAD_RADIUS_MALE if male else effects.HEAD_RADIUS_FEMALE
    radius = effects.HEAD_RADIUS_AT_5 + growth * (adult_radius - effects.HEAD_RADIUS_AT_5)
    return Subject(
        name=name,
        age=round(age, 4),
        male=male,
        **{key: round(float(value), 3) for key, value in zip(effects.FACTORS, factors, strict=True)},
        questionnaire=questionnaire,
        handedness=_handedness(rng),
        speed=speed,
        alpha_hz=alpha_hz,
        alpha_uv=population.alpha_uv * _spread(rng, effects.ALPHA_LOG_SD),
        exponent=exponent + effects.EXPONENT_SD * rng.standard_normal(),
        background_uv=population.background_uv_at_10
        * np.exp(effects.BACKGROUND_LOG_PER_YEAR * grown)
        * _spread(rng, effects.BACKGROUND_LOG_SD),
        beta_uv=population.beta_uv
        * (1 if male else population.beta_female)
        * _spread(rng, effects.BETA_LOG_SD),
        cpp_uv=(population.cpp_uv_at_10 + effects.CPP_UV_PER_YEAR * grown)
        * float(np.exp(effects.CPP_LOG_SD_SUBJECT * cpp_score)),
        film_uv=population.film_uv_at_10
        * np.exp(effects.FILM_LOG_PER_YEAR * grown + effects.FILM_LOG_SD * film_score)
        * (1 if male else effects.FILM_FEMALE),
        film_delay=effects.FILM_DELAY_PER_YEAR * grown + effects.FILM_DELAY_SD * rng.standard_normal(),
        head_radius=radius + population.head_radius_sd * rng.standard_normal(),
        blinks_per_minute=effects.BLINKS_PER_MINUTE * _spread(rng, effects.BLINKS_LOG_SD),
        effects=population,
    )


def _spread(rng: np.random.Generator, log_sd: float) -> float:
    return float(np.exp(log_sd * rng.standard_normal()))


def _handedness(rng: np.random.Generator) -> float:
    """Edinburgh score in the form of the participants table: most strongly right, a tenth left."""
    score = 100.05 - rng.gamma(0.8, 30)
    return round(float(np.clip(-score if rng.random() < 0.1 else score, -100.05, 100.05)), 2)
