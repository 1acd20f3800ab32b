"""What a baseline answers on the windows that its challenge asks about: fitted and applied in one step."""

from pathlib import Path

from cerebro.config import BaselinePhase
from cerebro.data.selection import phase_windows, read_index, shards_folder
from cerebro.evaluation.baselines import fit_baseline
from cerebro.submission.answers import AnswerSplit, challenge_rows, write_answers


def answer(node: str, settings: BaselinePhase, *, split: AnswerSplit, index: Path, output: Path) -> None:
    """Fit on the windows that a finetune phase of the same target would train on; answer those of one split.

    Parameters
    ----------
    node : str
        The baseline's name.
    settings : BaselinePhase
    split : {'validation', 'test'}
    index : Path
        The window index.
    output : Path
        As :func:`cerebro.submission.answers.write_answers` writes it.

    Raises
    ------
    UserError
        When windows are missing, or the training subjects do not allow the fit.
    """
    table = read_index(index)
    training = phase_windows(table, node, settings, "train")
    rows = challenge_rows(table, settings.target, split, purpose=f"the answers of {node}")
    answers = fit_baseline(node, settings, training, rows, shards=shards_folder(index))
    write_answers(rows, settings.target, answers, output=output)
