"""What a baseline answers on the windows of its target: fitted and applied in one step."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from cerebro.config import AnyLabel, BaselinePhase
from cerebro.data.classes import coded, training_classes
from cerebro.data.phase_windows import phase_windows
from cerebro.data.selection import read_index, shards_folder
from cerebro.scoring.answers import AnswerSplit, answered_rows, write_answers
from cerebro.scoring.baselines import fit_baseline
from cerebro.scoring.floors import demographic_labels


def answer(node: str, settings: dict[str, Any], *, split: AnswerSplit, index: Path, output: Path) -> None:
    """Fit on the windows that a finetune phase of the same target would train on; answer those of one split.

    Parameters
    ----------
    node : str
        The baseline's name.
    settings : dict
        ``{"phase": ..., "labels": ...}``; labels are the target, that of its windows, age and sex.
    split : {'validation', 'test'}
    index : Path
        The window index.
    output : Path
        As :func:`cerebro.scoring.answers.write_answers` writes it.

    Raises
    ------
    UserError
        When windows are missing, or the training subjects do not allow the fit.
    """
    phase = BaselinePhase.model_validate(settings["phase"])
    labels = TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"])
    table = read_index(index)
    table = coded(table, training_classes(table, demographic_labels(labels), labels))
    training = phase_windows(table, node, phase, "train", labels)
    rows = answered_rows(table, phase, labels, split, purpose=f"the answers of {node}")
    answers = fit_baseline(node, phase, training, rows, labels=labels, shards=shards_folder(index))
    write_answers(rows, phase.target, answers, output=output)
