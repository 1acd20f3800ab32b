"""Which splits and windows would come out, and which phases would find none: by the run's own functions.

The windows of a few recordings of each task and split are cut as the index would cut them, from their events
and estimated lengths. Signals are not looked at, so that quality drops nothing here.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cerebro.check.needs import need_of, need_of_label
from cerebro.config import (
    CHALLENGES,
    FIXED,
    AnyNode,
    BaselinePhase,
    Config,
    ContrastPhase,
    FinetunePhase,
    PretrainPhase,
)
from cerebro.data.moments import shared_moments
from cerebro.data.phase_windows import phase_windows, target_kind
from cerebro.data.selection import select_windows
from cerebro.errors import UserError
from cerebro.shards.candidates import candidates, recording_events
from cerebro.shards.declarations import is_known, label_table
from cerebro.shards.splits import assign_splits
from cerebro.shards.store import SFREQ

SAMPLED = 4
"""Recordings of one dataset, task and split whose windows are cut."""

TRIED = 20
"""Where these give nothing but windows that any recording has, up to this many are tried."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a phase, or the scoring, would find."""

    name: str
    """The phase, or `score`."""
    kind: str
    """Kind of phase."""
    subjects: Mapping[str, int]
    """Subjects with a recording that could give it windows, by split."""
    problem: str = ""
    """Why it can't run; empty if it can."""


def split_rows(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Return the usable rows of all datasets with the column ``split``."""
    usable = rows[rows["status"] == "ok"]
    split_of = assign_splits(usable, config.splits, found=rows)
    return usable.assign(split=usable["subject"].map(split_of))


def possible_windows(rows: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Cut the windows of some recordings of each dataset, task and split.

    Parameters
    ----------
    rows
        Usable rows of the inventory with ``split`` and an estimated ``duration`` in s.
    config
        The configuration.

    Returns
    -------
    DataFrame
        The columns of the window index that choose windows.
    """
    wanted = max(
        [SAMPLED, *(p.subjects_per_moment for p in config.phases.values() if isinstance(p, ContrastPhase))]
    )
    frames: list[pd.DataFrame] = []
    lacking = _lacking(rows, config)
    for _, part in rows.groupby(["dataset", "task", "split"]):
        # People with the labels that phases learn first, one recording of each before a second one.
        order = part.assign(
            lacking=lacking[part.index], repeat=part.groupby("subject").cumcount()
        ).sort_values(["lacking", "repeat"], kind="stable")
        special: set[str] = set()
        for tried, row in enumerate(order.head(max(TRIED, wanted)).to_dict(orient="records")):
            if tried >= wanted and (len(special) >= wanted or not row["task"]):
                break
            frame = _windows(row, config)
            frames.append(frame)
            if (frame["kind"] != FIXED).any():
                special.add(row["subject"])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _lacking(rows: pd.DataFrame, config: Config) -> pd.Series:
    """Count, for each recording and its person, the unknown labels among those that phases learn."""
    names = {
        name
        for phase in config.phases.values()
        if isinstance(phase, FinetunePhase | BaselinePhase)
        for name in [phase.target, *getattr(phase, "through", ())]
    }
    table = label_table(rows, {name: label for name, label in config.labels.items() if name in names})
    return sum(
        (~is_known(table[name], config.labels[name]) for name in table), start=pd.Series(0, index=rows.index)
    )


def _windows(row: dict[str, Any], config: Config) -> pd.DataFrame:
    notes: Counter[str] = Counter()
    seconds = 0.0 if math.isnan(row["duration"]) else row["duration"]
    frame = candidates(
        row,
        recording_events(row, notes),
        n_times=round(seconds * SFREQ),
        sfreq=SFREQ,
        windows=config.windows,
        labels=config.labels,
        notes=notes,
    )
    identity = {column: row[column] for column in ("dataset", "subject", "split", "recording")}
    onset = frame["start"] / SFREQ
    return frame.assign(
        **identity, task_of_row=row["task"], shard="", onset=onset, keep=frame["reason"] == ""
    )


def outlooks(rows: pd.DataFrame, windows: pd.DataFrame, config: Config) -> list[Outlook]:
    """Say for each phase, and for the scoring, whether windows it needs can exist.

    Parameters
    ----------
    rows
        As for :func:`possible_windows`.
    windows
        What it returned.
    config
        The configuration.
    """
    found = [_phase(name, phase, rows, windows, config) for name, phase in config.phases.items()]
    return [*found, *([_score(rows, windows, config)] if config.submission is not None else [])]


def _phase(name: str, phase: AnyNode, rows: pd.DataFrame, windows: pd.DataFrame, config: Config) -> Outlook:
    kinds, problem = _window_kinds(phase, config), ""
    part = rows
    if isinstance(phase, PretrainPhase):
        part = rows[rows["dataset"].isin([dataset for dataset, share in phase.mix.items() if share > 0])]
    for split in ("train", "validation"):
        try:
            chosen = phase_windows(windows, name, phase, split, config.labels)
        except UserError as error:
            problem = problem or _missing(name, phase, split, kinds, str(error), part, windows, config)
            continue
        if isinstance(phase, ContrastPhase) and split == "train":
            problem = problem or _lonely(name, phase, chosen)
    subjects = _subjects(part, windows, kinds, _targets(phase), config)
    return Outlook(name=name, kind=phase.kind, subjects=subjects, problem=problem)


def _missing(
    name: str,
    phase: AnyNode,
    split: str,
    kinds: Sequence[str],
    error: str,
    rows: pd.DataFrame,
    windows: pd.DataFrame,
    config: Config,
) -> str:
    """Why a phase would find no windows, by the first kind of which there is nothing."""
    there = set(windows.loc[windows["split"] == split, "kind"]) if len(windows) else set()
    if absent := [kind for kind in kinds if kind not in there]:
        own = rows[rows["split"] == split]
        need = need_of(absent[0], own, config) if len(own) else f"people in {split}, where nobody is"
    elif isinstance(phase, PretrainPhase):
        need = f"recordings at least as long as a window in each of {', '.join(phase.mix)}"
    elif targets := _targets(phase):
        need = need_of_label(targets[0], kinds[0], config.labels)
    else:
        return f"phases.{name}: {error}"
    return f"phases.{name}: no {split} windows: they need {need}"


def _lonely(name: str, phase: ContrastPhase, windows: pd.DataFrame) -> str:
    shared = shared_moments(windows, phase.subjects_per_moment)
    for source in phase.sources:
        if (count := int(shared.get(source, 0))) < 2:
            return (
                f"phases.{name}: {count} moments of source {source} are shared by "
                f"{phase.subjects_per_moment} training subjects, 2 are needed: add subjects or recordings"
            )
    return ""


def _score(rows: pd.DataFrame, windows: pd.DataFrame, config: Config) -> Outlook:
    problem = ""
    for number, (kind, label) in CHALLENGES.items():
        try:
            select_windows(windows, kind=kind, splits=["test"], label=label, purpose="")
        except UserError:
            tested = rows[rows["split"] == "test"]
            need = need_of(kind, tested, config) if len(tested) else "people in test, where nobody is"
            problem = problem or f"splits.test: nothing to score challenge {number} on: it needs {need}"
    kind, label = CHALLENGES[1]
    subjects = _subjects(rows, windows, [kind], [label], config)
    return Outlook(name="score", kind="", subjects=subjects, problem=problem)


def _subjects(
    rows: pd.DataFrame, windows: pd.DataFrame, kinds: Sequence[str], targets: Sequence[str], config: Config
) -> dict[str, int]:
    """People by split with a recording of a dataset and task that gave windows of these kinds.

    Where a phase learns what is known of people or recordings, those of whom it is known.
    """
    if windows.empty:
        return {}
    giving = windows.loc[windows["kind"].isin(kinds), ["dataset", "task_of_row"]].drop_duplicates()
    keys = set(giving.itertuples(index=False, name=None))
    is_giving = [key in keys for key in zip(rows["dataset"], rows["task"], strict=True)]
    part = rows[is_giving]
    known = {name: config.labels[name] for name in targets}
    table = label_table(part, known)
    for name in table:
        part = part[is_known(table[name], known[name])[part.index]]
    return {str(split): int(size) for split, size in part.groupby("split")["subject"].nunique().items()}


def _targets(phase: AnyNode) -> list[str]:
    return [phase.target] if isinstance(phase, FinetunePhase | BaselinePhase) else []


def _window_kinds(phase: AnyNode, config: Config) -> list[str]:
    if isinstance(phase, ContrastPhase):
        return list(phase.sources)
    if isinstance(phase, FinetunePhase | BaselinePhase):
        return [target_kind(phase, config.labels)]
    return [FIXED]
