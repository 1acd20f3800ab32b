"""The windows that each phase learns from and is selected by, and what it reads of the window index."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from cerebro.config import (
    FIXED,
    AnyLabel,
    AnyNode,
    BaselinePhase,
    ContrastPhase,
    EventLabel,
    FinetunePhase,
    Phase,
    PretrainPhase,
    TokenizerPhase,
    has_course,
    kind_of_windows,
)
from cerebro.data.classes import coded, training_classes
from cerebro.data.joining import joined
from cerebro.data.moments import with_source
from cerebro.data.selection import select_windows
from cerebro.data.subjects import part_of_subjects, shuffled
from cerebro.errors import UserError
from cerebro.shards.store import SFREQ

Labels = Mapping[str, AnyLabel]


def phase_labels(phase: AnyNode, labels: Labels) -> dict[str, AnyLabel]:
    """The declarations that a phase reads, and no others: what else is declared cannot change it."""
    names: list[str] = []
    match phase:
        case PretrainPhase():
            names = list(phase.auxiliary)
        case ContrastPhase():
            names = list(phase.sources)
        case FinetunePhase():
            names = [phase.target, *phase.through]
        case BaselinePhase():
            names = [phase.target]
    return {name: labels[name] for name in dict.fromkeys(names)}


def target_kind(phase: FinetunePhase | BaselinePhase, labels: Labels) -> str:
    """The kind of windows that a phase learns its target from."""
    return phase.windows or kind_of_windows(phase.target, labels[phase.target])


def phase_columns(phase: AnyNode, labels: Labels) -> list[str]:
    """The columns of the window index that :func:`phase_windows` and a training on its rows look at."""
    columns = ["kind", "dataset", "split", "keep", "subject", "shard", "start", "length", "recording"]
    match phase:
        case PretrainPhase():
            columns += phase.auxiliary
        case ContrastPhase():
            columns += ["stream", "moment"]
        case FinetunePhase():
            columns += [phase.target, *phase.through]
        case BaselinePhase():
            columns += [phase.target]
    return list(dict.fromkeys(columns))


def phase_windows(index: pd.DataFrame, name: str, phase: AnyNode, split: str, labels: Labels) -> pd.DataFrame:
    """The windows that a phase trains (``train``) or selects (``validation``) on.

    Training windows are those of the phase's share of the subjects. Classes stand as their codes
    (:mod:`cerebro.data.classes`). Labels are shuffled where the phase asks so, in both splits: true ones of
    validation subjects would choose, of what noise has taught, the part that holds. Windows of a contrast
    phase have a column ``source`` (:mod:`cerebro.data.moments`).

    Parameters
    ----------
    index : DataFrame
        The window index, or its :func:`phase_columns`.
    name : str
        The phase's name, for errors.
    phase : node
    split : str
    labels : mapping of str to label
        The declarations that the phase reads, or more.

    Raises
    ------
    UserError
        When no window is left, the share leaves no subject, or windows cannot be joined or are of several
        lengths.
    """
    chosen: dict[str, Any] = {"splits": [split], "purpose": f"phase '{name}' ({split})"}
    if split == "train" and phase.subject_share < 1:
        share, seed = phase.subject_share, phase.subject_seed
        chosen["subjects"] = part_of_subjects(index, share, seed=seed, purpose=f"phases.{name}")
    match phase:
        case TokenizerPhase():
            windows = select_windows(index, kind=FIXED, datasets=phase.datasets or None, **chosen)
            windows = _of_length(windows, phase, **chosen)
        case PretrainPhase():
            known = coded(index, training_classes(index, phase.auxiliary, labels))
            parts = [
                select_windows(known, kind=FIXED, datasets=[dataset], **chosen)
                for dataset, share in phase.mix.items()
                if share > 0
            ]
            windows = pd.concat(parts, ignore_index=True)
            windows = _of_length(windows, phase, agree=list(phase.auxiliary), **chosen)
        case ContrastPhase():
            windows = pd.concat(
                [pair_windows(index, phase, source, labels=labels, **chosen) for source in phase.sources],
                ignore_index=True,
            )
            _require_one_length(name, phase, windows)
        case FinetunePhase(target=target) | BaselinePhase(target=target):
            windows = target_windows(index, phase, labels, **chosen)
            if phase.shuffle_labels:
                windows = shuffled(windows, target, seed=phase.seed)
        case _:
            raise TypeError(f"unknown kind of phase: {phase}")
    return windows


def target_windows(
    index: pd.DataFrame, phase: FinetunePhase | BaselinePhase, labels: Labels, **chosen: Any
) -> pd.DataFrame:
    """Windows with the target of a phase, classes as codes; further arguments of :func:`select_windows`."""
    names = [phase.target, *(phase.through if isinstance(phase, FinetunePhase) else ())]
    known = coded(index, training_classes(index, names, labels))
    windows = select_windows(known, kind=target_kind(phase, labels), label=phase.target, **chosen)
    return _of_length(windows, phase, by=[phase.target], label=labels[phase.target], **chosen)


def pair_windows(
    index: pd.DataFrame,
    phase: ContrastPhase,
    source: str,
    *,
    labels: Labels,
    splits: Sequence[str],
    purpose: str,
    subjects: Collection[str] | None = None,
) -> pd.DataFrame:
    """Windows of one source of pairs, with their moments; parameters and errors of :func:`select_windows`."""
    purpose = f"{purpose}, source {source}"
    windows = select_windows(index, kind=source, splits=splits, purpose=purpose, subjects=subjects)
    known = windows["stream"] != ""
    if not known.any():
        raise UserError(f"no window is left for {purpose}: none of {len(windows)} says its class")
    windows = windows[known].reset_index(drop=True)
    label = labels[source]
    windows = _of_length(
        windows, phase, by=["stream"], label=label, moments=has_course(label), purpose=purpose
    )
    return with_source(windows, source)


def _of_length(
    windows: pd.DataFrame,
    phase: AnyNode,
    *,
    by: Sequence[str] = (),
    agree: Sequence[str] = (),
    label: AnyLabel | None = None,
    moments: bool = False,
    purpose: str,
    **_: Any,
) -> pd.DataFrame:
    """Windows as they are, or joined to the length that a phase asks for."""
    seconds = phase.window_seconds if isinstance(phase, Phase) else None
    if seconds is None:
        return windows
    lengths = windows["length"].unique() / SFREQ
    if (lengths == seconds).all():
        return windows
    if isinstance(label, EventLabel):
        raise UserError(
            f"{purpose}: window_seconds joins neighbouring windows, and those of an event stand alone; give "
            "the label itself a longer `window`"
        )
    if wrong := [length for length in lengths if abs(seconds / length - round(seconds / length)) > 1e-9]:
        raise UserError(
            f"{purpose}: windows of {wrong[0]:g} s cannot be joined to window_seconds, {seconds:g} s; take a "
            "multiple"
        )
    found = joined(windows, seconds, by=by, agree=agree, moments=moments)
    if found.empty:
        raise UserError(
            f"no window is left for {purpose}: none of {len(windows)} has neighbours to be joined to "
            f"{seconds:g} s; lower window_seconds"
        )
    return found


def _require_one_length(name: str, phase: ContrastPhase, windows: pd.DataFrame) -> None:
    lengths = windows.groupby("source")["length"].first() / SFREQ
    if lengths.nunique() > 1:
        told = ", ".join(f"{source} {seconds:g} s" for source, seconds in lengths.items())
        raise UserError(
            f"phase '{name}' compares windows of one length, and those of its sources differ ({told}); set "
            "window_seconds, or take a phase for each"
        )


def require_classes(
    name: str, target: str, index: pd.DataFrame, windows: Mapping[str, pd.DataFrame], labels: Labels
) -> tuple[str, ...]:
    """Return the classes of a phase's target; training windows hold each of them, validation two or more.

    Parameters
    ----------
    name, target : str
        The phase's name and its label.
    index : DataFrame
        The window index.
    windows : mapping of str to DataFrame
        The phase's windows by split.
    labels : mapping of str to label

    Raises
    ------
    UserError
        Naming the class that nobody has.
    """
    classes = training_classes(index, [target], labels)[target]
    there = set(windows["train"][target])
    if missing := [known for code, known in enumerate(classes) if code not in there]:
        raise UserError(
            f"phase '{name}': no training window is of class '{missing[0]}' of {target}; add people, or take "
            f"the class out of labels.{target}.classes"
        )
    if windows["validation"][target].nunique() < 2:
        raise UserError(
            f"phase '{name}': validation people hold a single class of {target}, so that no epoch can be "
            "chosen; let splits.validation take more people, or others"
        )
    return classes
