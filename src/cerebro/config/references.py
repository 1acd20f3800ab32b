"""What phases, probes and the submission name must be declared, and must fit what it is named for."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cerebro.config.labels import (
    CROP,
    FIXED,
    AnyLabel,
    EventLabel,
    IntervalLabel,
    MomentLabel,
    PersonLabel,
    TimedLabel,
    gives_pairs,
    kind_of_windows,
)
from cerebro.config.nodes import AnyNode, BaselinePhase, ContrastPhase, FinetunePhase, Phase, PretrainPhase
from cerebro.config.settings import hint

if TYPE_CHECKING:
    from cerebro.config.study import Config

IDENTITY = "identity"
"""The probe that asks who a window is of; no label."""

RESERVED = (
    *(FIXED, CROP, IDENTITY, "window", "kind", "dataset", "release", "subject", "run", "recording", "shard"),
    *("start", "length", "onset", "split", "stream", "moment"),
    *("peak_to_peak", "bad_channels", "keep", "reason", "source", "signal", "positions", "row"),
)
"""Names of windows, of columns of the window index and of parts of a batch, which no label can have."""


def unknown_references(config: "Config") -> Iterator[str]:
    """Yield one sentence for each name that is not declared, or does not fit where it stands."""
    labels = config.labels
    for name, label in labels.items():
        if name in RESERVED:
            yield f"labels.{name}: this name is reserved; take another"
        for dataset in label.datasets:
            if dataset not in config.datasets:
                known = hint(dataset, config.datasets)
                yield f"labels.{name}.datasets: there is no dataset '{dataset}'{known}"
    for name, phase in config.phases.items():
        yield from _of_phase(f"phases.{name}", phase, config)
    for name in config.probes.targets:
        if name != IDENTITY:
            yield from _undeclared("probes.targets", name, labels)
    if config.isc.label is not None:
        yield from _undeclared("isc.label", config.isc.label, labels)
        if config.isc.label in labels and not isinstance(labels[config.isc.label], MomentLabel):
            yield f"isc.label: '{config.isc.label}' is no label of: moment"


def _undeclared(key: str, name: str, labels: Mapping[str, AnyLabel]) -> Iterator[str]:
    if name not in labels:
        known = hint(name, labels) if labels else "; the section labels is empty"
        yield f"{key}: there is no label '{name}'{known}"


def _of_phase(key: str, phase: AnyNode, config: "Config") -> Iterator[str]:
    labels = config.labels
    if isinstance(phase, Phase) and phase.window_seconds is not None:
        yield from _joinable(key, phase.window_seconds, config)
    match phase:
        case PretrainPhase():
            for name in phase.auxiliary:
                yield from _undeclared(f"{key}.auxiliary", name, labels)
                if isinstance(labels.get(name), EventLabel | MomentLabel):
                    yield (
                        f"{key}.auxiliary: '{name}' holds for moments, and masked modelling learns from "
                        "windows of any time; labels of persons, recordings and intervals can stand here"
                    )
        case ContrastPhase():
            for name in phase.sources:
                yield from _undeclared(f"{key}.sources", name, labels)
                if name in labels and not gives_pairs(labels[name]):
                    yield (
                        f"{key}.sources: '{name}' gives no pairs: only labels of events, of moments, and of "
                        "intervals with classes do"
                    )
        case FinetunePhase() | BaselinePhase():
            yield from _undeclared(f"{key}.target", phase.target, labels)
            if phase.target in labels:
                yield from _of_target(key, phase, labels[phase.target], config)


def _joinable(key: str, seconds: float, config: "Config") -> Iterator[str]:
    windows = config.windows
    parts = seconds / windows.seconds
    if abs(parts - round(parts)) > 1e-9 or windows.stride_seconds != windows.seconds:
        yield (
            f"{key}.window_seconds: {seconds:g} s are joined from neighbouring windows; windows.seconds must "
            "divide it and windows.stride_seconds equal windows.seconds"
        )


def _of_target(
    key: str, phase: FinetunePhase | BaselinePhase, label: AnyLabel, config: "Config"
) -> Iterator[str]:
    target = phase.target
    if isinstance(label, MomentLabel):
        yield f"{key}.target: '{target}' is a label of moments, which can give pairs and be probed only"
        return
    kind = phase.windows or kind_of_windows(target, label)
    own = isinstance(label, TimedLabel)
    if kind == CROP and not config.windows.crops:
        yield f"{key}.windows: windows of kind crop need windows.crops, the tasks to draw them from"
    elif kind not in (FIXED, CROP) and not isinstance(config.labels.get(kind), TimedLabel):
        yield f"{key}.windows: there are no windows of kind '{kind}'; fixed, crop and timed labels have some"
    elif own and kind != target and not (kind == FIXED and isinstance(label, IntervalLabel)):
        yield f"{key}.windows: '{target}' is not known in windows of kind '{kind}'"
    if isinstance(phase, BaselinePhase):
        if label.is_class:
            yield f"{key}.target: a baseline is a regression, and '{target}' has classes; probe it instead"
        return
    is_time = isinstance(label, EventLabel) and label.time
    for option in ("jitter_seconds", "objective"):
        value = getattr(phase, option)
        if not is_time and (value == "distribution" or (option == "jitter_seconds" and value)):
            yield f"{key}.{option}: {value} is for a target that is a time; '{target}' is none"
    if label.is_class and phase.objective is not None:
        yield f"{key}.objective: {phase.objective} is for numbers, and '{target}' has classes"
    if phase.through and (own or label.is_class):
        yield f"{key}.through is for a target that is a number of a person, as '{target}' is not"
    for name in phase.through:
        yield from _undeclared(f"{key}.through", name, config.labels)
        other = config.labels.get(name)
        two = other is not None and isinstance(other.classes, Mapping) and len(other.classes) == 2
        if other is not None and not (isinstance(other, PersonLabel) and (not other.is_class or two)):
            yield f"{key}.through: '{name}' is neither a number of a person nor one of two classes"
