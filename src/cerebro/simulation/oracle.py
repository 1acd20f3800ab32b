"""What a reader of the ground truth could answer: how far reading a person from the EEG can lead at most.

For simulated studies alone; nothing that trains or is scored reads it. The oracle knows every latent that
shapes a person's EEG and behaviour, without error, and nothing else:

- externalizing is predicted from all of them by the best linear rule of the population, since the factor
  itself reaches no electrode. No model of the EEG can be expected to do better.
- reaction times are predicted by the subject's own expectation, as the subject's own mean is on real labels.
  The simulated EEG also holds the press of every single trial, in noise; what could be read of that has no
  closed form, so a model may do better than this row, and is then reading trials.

In a population whose EEG knows nothing (`effects: null`) the oracle has nothing to read and answers the mean.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.simulation import effects
from cerebro.simulation.populations import POPULATIONS, Effects
from cerebro.simulation.subjects import child_name, draw_child

PEOPLE = 2000
"""Children drawn to find the rule that leads from latents to externalizing; r of .1 is then sure to .02."""
SEED = 101
"""Of these children: no study's."""
LOGARITHMIC = ("alpha_uv", "background_uv", "beta_uv", "cpp_uv", "film_uv", "blinks_per_minute")
LINEAR = ("age", "male", "speed", "alpha_hz", "exponent", "film_delay", "head_radius")
"""Latents that reach the EEG; strengths act by their logarithm."""


def oracle(subjects: ArrayLike, target: str, *, marker: Path) -> NDArray[np.float64]:
    """Answer one target for windows of the given subjects.

    Parameters
    ----------
    subjects : array of str, shape (n,)
        Whose window each is.
    target : {'reaction_time', 'externalizing'}
    marker : Path
        The simulation's ``simulation.json``; the ground truth lies beside it.

    Returns
    -------
    array, shape (n,)

    Raises
    ------
    UserError
        When a subject is not in the ground truth.
    """
    population = POPULATIONS[read_json(marker)["settings"]["effects"]]
    truth = pd.read_parquet(Path(marker).with_name("ground_truth.parquet")).set_index("name")
    names = pd.Index(np.asarray(subjects, str))
    if unknown := sorted(set(names) - set(truth.index)):
        raise UserError(
            f"{unknown[0]} is not in the ground truth of {marker}: the oracle knows simulated people"
        )
    people = truth.loc[names.unique()]
    if target == "reaction_time":
        speed = people["speed"].to_numpy(float) if population.coupled else None
        known = expected_reaction_time(speed, len(people))
    else:
        known = _externalizing(people, population)
    return pd.Series(known, index=people.index).loc[names].to_numpy()


def expected_reaction_time(speed: NDArray[np.float64] | None, count: int) -> NDArray[np.float64]:
    """Mean reaction time (s) over the trials of subjects of known speed; of anyone where it is None.

    The mean of the measured quantiles over the trial's own score, by its quantiles; see
    :func:`cerebro.simulation.timeline.contrast_change`.
    """
    scores = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    share = effects.SUBJECT_SHARE if speed is not None else 0.0
    known = np.zeros(count) if speed is None else speed
    total = np.sqrt(share) * known[:, np.newaxis] + np.sqrt(1 - share) * scores
    ranks, seconds = zip(*effects.REACTION_TIME_QUANTILES, strict=True)
    return np.interp(stats.norm.cdf(total), ranks, seconds).mean(axis=1)


def _externalizing(people: pd.DataFrame, population: Effects) -> NDArray[np.float64]:
    if not population.coupled:
        return np.zeros(len(people))  # the population's mean
    drawn = pd.DataFrame(
        [draw_child(SEED, child_name("oracle", number), population).latents() for number in range(PEOPLE)]
    )
    mean = float(drawn["externalizing"].mean())
    known, asked = _design(drawn), _design(people)
    typical = known.mean(axis=0)
    slopes = np.linalg.lstsq(known - typical, drawn["externalizing"] - mean, rcond=None)[0]
    return mean + (asked - typical) @ slopes


def _design(people: pd.DataFrame) -> NDArray[np.float64]:
    strengths = np.log(people[list(LOGARITHMIC)].to_numpy(float))
    return np.column_stack([people[list(LINEAR)].to_numpy(float), strengths])
