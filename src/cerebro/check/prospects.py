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

from cerebro.config import (
    CHALLENGES,
    TARGET_KINDS,
    AnyNode,
    BaselinePhase,
    Config,
    ContrastPhase,
    FinetunePhase,
    PretrainPhase,
)
from cerebro.data.moments import KINDS, shared_moments
from cerebro.data.selection import phase_windows, select_windows
from cerebro.errors import UserError
from cerebro.recordings.recording import FACTORS
from cerebro.shards.candidates import candidates, recording_events
from cerebro.shards.splits import assign_splits
from cerebro.shards.store import SFREQ

SAMPLED = 4
"""Recordings of one dataset, task and split whose windows are cut."""

TRIED = 20
"""Where these give nothing but windows that any recording has, up to this many are tried."""

NEEDS = {
    "fixed": "recordings at least as long as a window",
    "movie": "movie recordings with events",
    "eyes": "resting state recordings with events",
    "trial": "contrast change recordings with events and answered trials",
    "crop": "contrast change recordings of at least 4 s of subjects with an externalizing score",
}
"""What windows are cut from, by kind."""


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
    for _, part in rows.groupby(["dataset", "task", "split"]):
        # Subjects with a score first, one recording of each before a second one.
        order = part.assign(
            unlabelled=part["externalizing"].isna(), repeat=part.groupby("subject").cumcount()
        ).sort_values(["unlabelled", "repeat"], kind="stable")
        special: set[str] = set()
        for tried, row in enumerate(order.head(max(TRIED, wanted)).to_dict(orient="records")):
            if tried >= wanted and (len(special) >= wanted or not row["task"]):
                break
            frame = _windows(row, config)
            frames.append(frame)
            if (frame["kind"] != "fixed").any():
                special.add(row["subject"])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _windows(row: dict[str, Any], config: Config) -> pd.DataFrame:
    notes: Counter[str] = Counter()
    seconds = 0.0 if math.isnan(row["duration"]) else row["duration"]
    frame = candidates(
        row,
        recording_events(row, notes),
        n_times=round(seconds * SFREQ),
        sfreq=SFREQ,
        windows=config.windows,
        notes=notes,
    )
    for column in ("dataset", "subject", "split", "task", "recording", "age", "sex", *FACTORS):
        frame[column] = row[column]
    return frame.assign(keep=frame["reason"] == "")


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
    found = [_phase(name, phase, rows, windows) for name, phase in config.phases.items()]
    return [*found, _score(rows, windows, config)]


def _phase(name: str, phase: AnyNode, rows: pd.DataFrame, windows: pd.DataFrame) -> Outlook:
    kinds, problem = _window_kinds(phase), ""
    part = rows
    if isinstance(phase, PretrainPhase):
        part = rows[rows["dataset"].isin([dataset for dataset, share in phase.mix.items() if share > 0])]
    for split in ("train", "validation"):
        try:
            chosen = phase_windows(windows, name, phase, split)
        except UserError:
            where = f" in each of {', '.join(phase.mix)}" if isinstance(phase, PretrainPhase) else ""
            # What is missing is named by the first kind of which there is nothing.
            there = set(windows.loc[windows["split"] == split, "kind"]) if len(windows) else set()
            kind = next((kind for kind in kinds if kind not in there), kinds[0])
            problem = problem or f"phases.{name}: no {split} windows: they need {NEEDS[kind]}{where}"
            continue
        if isinstance(phase, ContrastPhase) and split == "train":
            problem = problem or _lonely(name, phase, chosen)
    return Outlook(name=name, kind=phase.kind, subjects=_subjects(part, windows, kinds), problem=problem)


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
    releases = ", ".join(config.splits.test_releases)
    for challenge, (kind, label) in CHALLENGES.items():
        try:
            select_windows(windows, kind=kind, splits=["test"], label=label, purpose="")
        except UserError:
            problem = problem or (
                f"splits.test_releases: nothing of {releases} to score challenge {challenge} on: it needs "
                f"{NEEDS[kind]}"
            )
    return Outlook(name="score", kind="", subjects=_subjects(rows, windows, ["trial"]), problem=problem)


def _subjects(rows: pd.DataFrame, windows: pd.DataFrame, kinds: Sequence[str]) -> dict[str, int]:
    """Subjects by split with a recording of a dataset and task that gave windows of these kinds."""
    giving = windows.loc[windows["kind"].isin(kinds), ["dataset", "task"]].drop_duplicates()
    part = rows.merge(giving, on=["dataset", "task"])
    if "crop" in kinds:
        part = part[part["externalizing"].notna()]
    return {str(split): int(size) for split, size in part.groupby("split")["subject"].nunique().items()}


def _window_kinds(phase: AnyNode) -> list[str]:
    if isinstance(phase, ContrastPhase):
        return [KINDS[source][0] for source in phase.sources]
    if isinstance(phase, FinetunePhase | BaselinePhase):
        return [TARGET_KINDS[phase.target]]
    return ["fixed"]
