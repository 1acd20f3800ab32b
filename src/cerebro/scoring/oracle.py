"""The oracle's answers on the windows that the challenges score, for the comparison of simulated studies."""

from pathlib import Path

from cerebro.data.selection import read_index
from cerebro.scoring.answers import challenge_rows, write_answers
from cerebro.simulation.oracle import oracle


def answer_oracle(target: str, *, marker: Path, index: Path, output: Path) -> None:
    """Answer every scored window of one target from the ground truth.

    Parameters
    ----------
    target : {'reaction_time', 'externalizing'}
    marker : Path
        The simulation's ``simulation.json``.
    index : Path
        The window index.
    output : Path
        As :func:`cerebro.scoring.answers.write_answers` writes it.
    """
    rows = challenge_rows(read_index(index), target, "test", purpose=f"the oracle of {target}")
    write_answers(rows, target, oracle(rows["subject"], target, marker=marker), output=output)
