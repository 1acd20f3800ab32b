"""Declared labels: what is known of a person, a recording, an interval or an event, and where it is written.

Code knows labels by their declaration alone. Any of them can be probed, fine-tuned, used as an auxiliary head
or give pairs, as far as its kind allows.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from cerebro.config.settings import Settings

ALL = "all"
"""In place of classes: every value that occurs is a class of its own."""


def _named(classes: Any) -> Any:
    """`[control, epilepsy]` and `{open: eyes_open}` in one form: values by class."""
    if isinstance(classes, list | tuple):
        classes = {str(name): name for name in classes}
    if not isinstance(classes, Mapping):
        return classes
    listed = {
        str(name): values if isinstance(values, list | tuple) else [values]
        for name, values in classes.items()
    }
    return {name: tuple(map(str, values)) for name, values in listed.items()}


def _differ(classes: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if len(classes) < 2:
        raise ValueError("needs two classes or more; a label without classes is a number")
    values = [value for values in classes.values() for value in values]
    if twice := [value for value in values if values.count(value) > 1]:
        raise ValueError(f"the value '{twice[0]}' stands in two classes")
    return classes


Classes = Annotated[
    dict[str, tuple[str, ...]],
    AfterValidator(_differ),
    BeforeValidator(
        _named,
        json_schema_input_type=tuple[str, ...] | dict[str, str | tuple[str, ...]],
    ),
]
"""Values as they are written in the data, by the name of their class."""

Range = tuple[float, float]


def _listed(names: Any) -> Any:
    return [names] if isinstance(names, str) else names


Names = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...]),
]
"""One name, or a list of names."""


class Label(Settings):
    """Keys of every label."""

    classes: Classes | Literal["all"] | None = None
    """The classes: a list of values, a mapping of names to values, or `all` for every value that occurs. A
    label without classes is a number."""
    range: Range | None = None
    """Lowest and highest number that is possible; what lies outside is taken as missing."""
    datasets: tuple[str, ...] = ()
    """Datasets that have this label; empty takes all."""

    @model_validator(mode="after")
    def _is_number_or_class(self) -> "Label":
        if self.classes is not None and self.range is not None:
            raise ValueError("range is for numbers; a label with classes has none")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range [{self.range[0]:g}, {self.range[1]:g}] is empty; give low < high")
        return self

    @property
    def is_class(self) -> bool:
        """Whether the label names a class; otherwise it is a number."""
        return self.classes is not None


class PersonLabel(Label):
    """A label of a person: a column of `participants.tsv`, or what a file's header says of the patient."""

    of: Literal["person"]
    """Of whom or what this is a label."""
    column: str
    """Column of the table of participants; `age` and `sex` also stand in the headers of EDF files."""
    log: bool = False
    """Whether the logarithm of the number is learned by heads of Phase 1b: development and ageing go with
    ratios of age."""

    @model_validator(mode="after")
    def _has_a_logarithm(self) -> "PersonLabel":
        if self.log and self.is_class:
            raise ValueError("log is for numbers; a label with classes has none")
        return self


class RecordingLabel(Label):
    """A label of a whole recording: a part of its name, a folder, or a column of `scans.tsv`."""

    of: Literal["recording"]
    """Of whom or what this is a label."""
    entity: Literal["task", "session", "run", "acquisition", "release", "folder"] | None = None
    """Part of the recording's name; `folder` is any of the folders that it lies in."""
    column: str | None = None
    """Column of the table of scans, in place of `entity`."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> "RecordingLabel":
        if (self.entity is None) == (self.column is None):
            raise ValueError("give either entity or column")
        if self.entity == "folder" and not isinstance(self.classes, Mapping):
            raise ValueError("entity folder needs classes: the names of the folders")
        return self


class TimedLabel(Label):
    """Keys of labels that hold for a part of a recording; each has windows of its own, of its name."""

    column: str = "value"
    """Column of the table of events that holds the label's value; `value` is `trial_type` where a table has
    no `value`."""
    tasks: tuple[str, ...] = ()
    """Tasks whose recordings have it; empty takes all."""


class IntervalLabel(TimedLabel):
    """A state that lasts: events with a duration. Windows lie side by side inside the interval."""

    of: Literal["interval"]
    """Of whom or what this is a label."""
    settle_seconds: float = Field(default=0.0, ge=0)
    """Seconds left out after the interval's begin."""
    seconds: float | None = Field(default=None, gt=0)
    """Length of the windows; null is `windows.seconds`."""
    timed: bool = False
    """Whether pairs of people meet at the same time since the interval began, and not only in one class."""


class EventLabel(TimedLabel):
    """Something that happens at a moment; one window at each event."""

    of: Literal["event"]
    """Of whom or what this is a label."""
    at: Names
    """The events, by their `value`."""
    window: tuple[float, float]
    """Where the window begins and ends, in seconds from the event; negative ones lie before it."""
    time: bool = False
    """Whether the number is a time in seconds from the event: where a training window is moved, it moves
    with it."""

    @field_validator("window")
    @classmethod
    def _lasts(cls, window: tuple[float, float]) -> tuple[float, float]:
        if not window[0] < window[1]:
            raise ValueError(f"[{window[0]:g}, {window[1]:g}] has no length; give [start, end]")
        return window

    @model_validator(mode="after")
    def _moves(self) -> "EventLabel":
        if self.time and (self.is_class or self.range is None):
            raise ValueError("time: true needs a range in seconds and no classes")
        return self


class MomentLabel(TimedLabel):
    """The moment of a stimulus that many people met, as a movie: windows stand at the same times for all."""

    of: Literal["moment"]
    """Of whom or what this is a label."""
    starts: str | None = None
    """Column that says at which second of the stimulus an interval begins; null begins at 0."""
    grid_seconds: float = Field(default=1.0, gt=0)
    """Windows begin at multiples of this time (s) of the stimulus."""

    @model_validator(mode="after")
    def _names_stimuli(self) -> "MomentLabel":
        if not self.is_class:
            raise ValueError("a label of moments needs classes: the stimuli, or all")
        return self


AnyLabel = Annotated[
    PersonLabel | RecordingLabel | IntervalLabel | EventLabel | MomentLabel, Field(discriminator="of")
]
"""A declaration."""

FIXED = "fixed"
"""Kind of the windows on a regular grid over whole recordings, on which labels of persons and recordings are
learned."""
CROP = "crop"
"""Kind of the windows of Challenge 2."""


def kind_of_windows(name: str, label: Label) -> str:
    """The kind of windows that a label is learned and probed on, where nothing else is said."""
    return name if isinstance(label, TimedLabel) else FIXED


def gives_pairs(label: Label) -> bool:
    """Whether windows of different people can be paired by a label: it holds for a part of a recording."""
    return isinstance(label, EventLabel | MomentLabel) or (
        isinstance(label, IntervalLabel) and label.is_class
    )


def has_course(label: Label) -> bool:
    """Whether pairs of a label are of one time, so that a window's course counts; else of one state."""
    return not isinstance(label, IntervalLabel) or label.timed
