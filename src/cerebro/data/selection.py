"""Choosing rows of the window index; a choice that leaves nothing is an error that says why."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from cerebro.config import (
    TARGET_KINDS,
    AnyNode,
    BaselinePhase,
    ContrastPhase,
    FinetunePhase,
    PairSource,
    PretrainPhase,
    TokenizerPhase,
)
from cerebro.data.moments import KINDS, MOMENT_COLUMNS, named, shared_moments, with_moments
from cerebro.data.spread import spread
from cerebro.data.subjects import part_of_subjects, shuffled
from cerebro.errors import UserError
from cerebro.files import write_json


def read_index(path: Path, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the window index, or some of its columns: a whole row takes four times what a training needs."""
    if not Path(path).exists():
        raise UserError(
            f"{path} does not exist; build it with: snakemake --cores 8 {path}, with the study's --configfile"
        )
    return pd.read_parquet(path, columns=None if columns is None else list(columns))


def shards_folder(index: Path) -> Path:
    """Folder of the shards that an index at ``<study>/windows/index.parquet`` points into."""
    return Path(index).parent.parent / "shards"


def select_windows(
    index: pd.DataFrame,
    *,
    kind: str | Sequence[str],
    splits: Sequence[str],
    purpose: str,
    datasets: Collection[str] | None = None,
    label: str | None = None,
    subjects: Collection[str] | None = None,
) -> pd.DataFrame:
    """Kept windows of some kinds in the given splits, row order preserved, with a fresh row number.

    Parameters
    ----------
    index : DataFrame
        The window index.
    kind : str or sequence of str
        ``fixed``, ``movie``, ``eyes``, ``trial``, ``condition`` or ``crop``.
    splits : sequence of str
        ``train``, ``validation``, ``test``.
    purpose : str
        What the windows are for, to name it in the error.
    datasets : collection of str, optional
        Datasets to take; all if not given.
    label : str, optional
        Column that must not be missing.
    subjects : collection of str, optional
        Subjects to take; all if not given.

    Raises
    ------
    UserError
        When no window is left: how many rows each filter left.
    """
    kinds = [kind] if isinstance(kind, str) else list(kind)
    filters = [(f"of kind {' or '.join(map(repr, kinds))}", index["kind"].isin(kinds))]
    if datasets is not None:
        filters.append((f"in datasets {sorted(datasets)}", index["dataset"].isin(list(datasets))))
    filters.append((f"in split {' or '.join(splits)}", index["split"].isin(list(splits))))
    filters.append(("that quality kept", index["keep"]))
    if label is not None:
        filters.append((f"with a {label}", index[label].notna()))
    if subjects is not None:
        filters.append((f"of the {len(subjects)} chosen subjects", index["subject"].isin(list(subjects))))
    chosen = pd.Series(True, index=index.index)
    trail = f"{len(index)} windows in the index"
    for name, mask in filters:
        chosen &= mask
        trail += f", {int(chosen.sum())} {name}"
    if not chosen.any():
        raise UserError(f"no window is left for {purpose}: {trail}")
    return index[chosen].reset_index(drop=True)


def evenly_per_subject(windows: pd.DataFrame, at_most: int) -> pd.DataFrame:
    """At most ``at_most`` rows of each subject, evenly spread over its own, with a fresh row number."""
    numbers = [rows[spread(len(rows), at_most)] for rows in windows.groupby("subject").indices.values()]
    chosen = windows.iloc[np.sort(np.concatenate(numbers))] if numbers else windows
    return chosen.reset_index(drop=True)


def check_windows(settings: dict[str, Any], *, index: Path, output: Path) -> None:
    """Refuse an index that lacks windows some phase needs, before hours of training reach that phase.

    Parameters
    ----------
    settings : dict
        ``{"phases": {name: phase settings}}``.
    index, output : Path
        The window index; a JSON file of the number of windows each phase will train and select on.

    Raises
    ------
    UserError
        Naming the phase, and the filter that removed its windows.
    """
    phases: dict[str, AnyNode] = TypeAdapter(dict[str, AnyNode]).validate_python(settings["phases"])
    columns = sorted({column for phase in phases.values() for column in phase_columns(phase)})
    table = read_index(index, columns=columns)
    counts = {}
    for name, phase in phases.items():
        windows = {split: phase_windows(table, name, phase, split) for split in ("train", "validation")}
        if isinstance(phase, ContrastPhase):
            _require_pairs(name, phase, windows["train"], windows["validation"])
        counts[name] = {split: len(rows) for split, rows in windows.items()}
    write_json(output, counts)


def _require_pairs(name: str, phase: ContrastPhase, train: pd.DataFrame, validation: pd.DataFrame) -> None:
    """Refuse a contrast phase that would find fewer than two moments to tell apart in a source.

    In validation a pair is a held-out subject and anyone else.
    """
    held_out = validation.groupby(["source", "stream", "moment"]).size().index
    everyone = pd.concat([train, validation], ignore_index=True)
    met = everyone.set_index(["source", "stream", "moment"])
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


def phase_columns(phase: AnyNode) -> list[str]:
    """The columns of the window index that :func:`phase_windows` and a training on its rows look at."""
    columns = ["kind", "dataset", "split", "keep", "subject", "shard", "start", "length"]
    match phase:
        case PretrainPhase():
            columns += phase.auxiliary
        case ContrastPhase():
            columns += ["recording", *MOMENT_COLUMNS]
        case FinetunePhase():
            columns += ["recording", phase.target, *phase.through]
        case BaselinePhase():
            columns += [phase.target]
    return columns


def phase_windows(index: pd.DataFrame, name: str, phase: AnyNode, split: str) -> pd.DataFrame:
    """The windows that a phase trains (``train``) or selects (``validation``) on.

    Training windows are those of the phase's share of the subjects. Labels are shuffled where it asks so, in
    both splits: true ones of validation subjects would choose, of what noise has taught, the part that holds.
    Those of a contrast phase carry the columns of :func:`cerebro.data.moments.with_moments`.

    Raises
    ------
    UserError
        When no window is left, or the share leaves no subject.
    """
    chosen: dict[str, Any] = {"splits": [split], "purpose": f"phase '{name}' ({split})"}
    if split == "train" and phase.subject_share < 1:
        share, seed = phase.subject_share, phase.subject_seed
        chosen["subjects"] = part_of_subjects(index, share, seed=seed, purpose=f"phases.{name}")
    match phase:
        case TokenizerPhase():
            return select_windows(index, kind="fixed", datasets=phase.datasets or None, **chosen)
        case PretrainPhase():
            parts = [
                select_windows(index, kind="fixed", datasets=[dataset], **chosen)
                for dataset, share in phase.mix.items()
                if share > 0
            ]
            return pd.concat(parts, ignore_index=True)
        case ContrastPhase():
            return pd.concat(
                [pair_windows(index, source, **chosen) for source in phase.sources], ignore_index=True
            )
        case FinetunePhase(target=target) | BaselinePhase(target=target):
            windows = select_windows(index, kind=TARGET_KINDS[target], label=target, **chosen)
            if phase.shuffle_labels:
                windows = shuffled(windows, target, seed=phase.seed)
            return windows
    raise TypeError(f"unknown kind of phase: {phase}")


def pair_windows(
    index: pd.DataFrame,
    source: PairSource,
    *,
    splits: Sequence[str],
    purpose: str,
    subjects: Collection[str] | None = None,
) -> pd.DataFrame:
    """Windows of one source of pairs, with their moments; parameters and errors of :func:`select_windows`."""
    purpose = f"{purpose}, source {source}"
    windows = select_windows(index, kind=KINDS[source], splits=splits, purpose=purpose, subjects=subjects)
    known = named(windows)
    if not known.any():
        raise UserError(f"no window is left for {purpose}: none of {len(windows)} says its condition")
    return with_moments(windows[known].reset_index(drop=True), source)
