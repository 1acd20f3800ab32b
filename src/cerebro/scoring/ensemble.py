"""How much each member of an ensemble counts, and what it answers: the weighted mean of its members' answers.

Weights are fitted on windows of validation subjects, never on those that are scored. Validation subjects have
also chosen each member's epoch and shrinkage, so that fitted weights trust all members a little too much.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from cerebro.config import Weights
from cerebro.errors import UserError
from cerebro.scoring.challenge import ANSWERS
from cerebro.statistics.metrics import ROUNDING

SUBJECTS_PER_MEMBER = 2
"""Validation subjects below which weights are not fitted: least squares needs two independent observations a
coefficient (Austin & Steyerberg 2015, J. Clin. Epidemiol. 68(6)), and windows of one person are not."""


def member_weights(
    members: Sequence[str], how: Weights, validation: Mapping[str, pd.DataFrame], *, purpose: str
) -> dict[str, float]:
    """Weights that sum to 1, by member; fitted ones are printed, and members of weight 0 then left out.

    Parameters
    ----------
    members : sequence of str
        Nodes, each once.
    how : {'equal', 'validation'}
    validation : mapping of str to DataFrame
        Answers of the members on validation windows: ``window``, ``subject``, ``truth``, ``prediction``. Read
        only where weights are fitted and there is more than one member.
    purpose : str
        What the ensemble is for, to name it where weights cannot be fitted; that is printed, and the members
        count equally.

    Raises
    ------
    UserError
        When the members answered different windows.
    """
    equal = dict.fromkeys(members, 1 / len(members))
    if how == "equal" or len(members) == 1:
        return equal
    frames = {name: validation[name] for name in members}
    same_windows(frames, purpose=purpose)
    first = next(iter(frames.values()))
    answers = np.column_stack([frame["prediction"].to_numpy(float) for frame in frames.values()])
    if reason := _not_determined(answers, first):
        print(f"{purpose}: {reason}, so its {len(members)} members count equally", flush=True)
        return equal
    fitted = fitted_weights(answers, first["truth"].to_numpy(float))
    weights = dict(zip(members, map(float, fitted), strict=True))
    shown = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
    print(f"{purpose}: as {first['subject'].nunique()} validation subjects weigh them: {shown}", flush=True)
    return {name: weight for name, weight in weights.items() if weight > 0}


def fitted_weights(answers: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative weights that sum to 1 and give the mean of the members the least squared error.

    Parameters
    ----------
    answers : array, shape (n, n_members)
    truth : array, shape (n,)

    Returns
    -------
    array, shape (n_members,)

    Notes
    -----
    With ``E`` the members' errors, the least ``|E w|²`` is sought on the simplex. Non-negative least squares
    (Lawson & Hanson 1974) of ``|E v|² + (1 - Σv)²`` has the same solution but for its length: for ``v = t w``
    the best ``t`` leaves ``q / (1 + q)`` with ``q = |E w|²``, which grows with ``q``.
    """
    errors = (answers - truth[:, None]) / (np.sqrt(len(truth)) * np.std(truth))
    solution, _ = nnls(np.vstack([errors, np.ones(errors.shape[1])]), np.append(np.zeros(len(errors)), 1.0))
    return solution / solution.sum()


def averaged(answers: Mapping[str, pd.DataFrame], weights: Mapping[str, float]) -> pd.DataFrame:
    """The answers of an ensemble, in the form of a member's: its ``unshrunk`` is the mean of its members'.

    Parameters
    ----------
    answers : mapping of str to DataFrame
        By node, to the same windows.
    weights : mapping of str to float
        Of the ensemble's members that count.
    """
    means = {
        column: sum(weight * answers[name][column] for name, weight in weights.items()) for column in ANSWERS
    }
    return answers[next(iter(weights))].assign(**means)


def same_windows(answers: Mapping[str, pd.DataFrame], *, purpose: str) -> None:
    """Refuse answers of nodes to different windows."""
    (first, reference), *others = answers.items()
    for name, frame in others:
        if not frame["window"].equals(reference["window"]):
            raise UserError(
                f"{purpose}: {first} and {name} answered different windows; remove the folder predictions "
                "and run the same command again"
            )


def _not_determined(answers: NDArray[np.float64], rows: pd.DataFrame) -> str | None:
    """Why the answers of validation subjects do not say how much each member counts."""
    count, subjects = answers.shape[1], rows["subject"].nunique()
    if subjects < SUBJECTS_PER_MEMBER * count:
        found = "1 validation subject is" if subjects == 1 else f"{subjects} validation subjects are"
        return f"{found} too few to weigh {count} members by"
    deviation = rows["truth"].std(ddof=0)
    if not deviation > 0:
        return "the truth of validation subjects has no spread"
    differences = answers - answers.mean(axis=1, keepdims=True)
    tolerance = ROUNDING * deviation * np.sqrt(len(answers))
    if np.linalg.matrix_rank(differences, tol=tolerance) < count - 1:
        return "its members' answers to validation windows determine no weights"
    return None
