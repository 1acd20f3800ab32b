"""The check of the window index before anything trains: each phase finds its own windows."""

from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter

from cerebro.config import AnyLabel, AnyNode, ContrastPhase, FinetunePhase
from cerebro.data.moments import MOMENT, shared_moments
from cerebro.data.phase_windows import Labels, phase_columns, phase_windows, require_classes
from cerebro.data.selection import read_index
from cerebro.errors import UserError
from cerebro.files import write_json


def check_windows(settings: dict[str, Any], *, index: Path, output: Path) -> None:
    """Refuse an index that lacks windows some phase needs, before hours of training reach that phase.

    Parameters
    ----------
    settings : dict
        ``{"phases": {name: phase settings}, "labels": {name: declaration}}``.
    index, output : Path
        The window index; a JSON file of the number of windows each phase will train and select on.

    Raises
    ------
    UserError
        Naming the phase, and the filter that removed its windows.
    """
    phases: dict[str, AnyNode] = TypeAdapter(dict[str, AnyNode]).validate_python(settings["phases"])
    labels: Labels = TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"])
    columns = sorted({column for phase in phases.values() for column in phase_columns(phase, labels)})
    table = read_index(index, columns=columns)
    counts = {}
    for name, phase in phases.items():
        windows = {
            split: phase_windows(table, name, phase, split, labels) for split in ("train", "validation")
        }
        if isinstance(phase, ContrastPhase):
            _require_pairs(name, phase, windows["train"], windows["validation"])
        if isinstance(phase, FinetunePhase) and labels[phase.target].is_class:
            require_classes(name, phase.target, table, windows, labels)
        counts[name] = {split: len(rows) for split, rows in windows.items()}
    write_json(output, counts)


def _require_pairs(name: str, phase: ContrastPhase, train: pd.DataFrame, validation: pd.DataFrame) -> None:
    """Refuse a contrast phase that would find fewer than two moments to tell apart in a source.

    In validation a pair is a held-out subject and anyone else.
    """
    held_out = validation.groupby(list(MOMENT)).size().index
    everyone = pd.concat([train, validation], ignore_index=True)
    met = everyone.set_index(list(MOMENT))
    pairs = met[met.index.isin(held_out)].reset_index()
    for split, windows, subjects in (("train", train, phase.subjects_per_moment), ("validation", pairs, 2)):
        found = shared_moments(windows, subjects)
        for source in phase.sources:
            if found.get(source, 0) < 2:
                raise UserError(
                    f"phase '{name}' finds {found.get(source, 0)} moments of source {source} that {subjects} "
                    f"subjects met ({split}), and needs 2: add subjects or recordings, lower "
                    "subjects_per_moment, or leave the source out"
                )
