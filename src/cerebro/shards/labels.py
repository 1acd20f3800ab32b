"""Values of declared labels: read from what tables, names and events hold, and counted where they fail."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cerebro.config import ALL, AnyLabel, Label, PersonLabel, RecordingLabel, TimedLabel

Value = float | str
"""A number (NaN unknown), or the name of a class (empty unknown)."""

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")


class Read(NamedTuple):
    """What a text says under a label."""

    value: Value
    """The number or the class."""
    fault: str = ""
    """Why there is none although something is written; empty if nothing is wrong."""


def unknown(label: Label) -> Value:
    """Return what stands for an unknown value."""
    return "" if label.is_class else math.nan


def read_value(text: str | None, label: Label) -> Read:
    """Read one value; None is missing, which is no fault."""
    if text is None:
        return Read(unknown(label))
    if not label.is_class:
        return _number(text, label)
    if label.classes == ALL:
        return Read(text.strip())
    name = class_of(text, label.classes)  # type: ignore[arg-type]
    return Read(name) if name else Read("", f"value '{text}' is in none of its classes")


def class_of(text: str, classes: Mapping[str, tuple[str, ...]]) -> str:
    """Return the class of a value, empty if it is in none.

    Case, surrounding spaces and the spelling of a number (`1` and `1.0`) make no difference where only one
    class is meant.
    """
    exact, alike = _known(tuple(classes.items()))
    return exact.get(text) or alike.get(plain(text), "")


@lru_cache
def _known(classes: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[dict[str, str], dict[str, str]]:
    exact = {value: name for name, values in classes for value in values}
    meant: dict[str, set[str]] = {}
    for value, name in exact.items():
        meant.setdefault(plain(value), set()).add(name)
    return exact, {value: names.pop() for value, names in meant.items() if len(names) == 1}


def plain(text: str) -> str:
    """Return a text without what makes no difference: case, surrounding spaces, the spelling of a number."""
    text = text.strip().casefold()
    return f"{float(text):g}" if _NUMBER.fullmatch(text) else text


def _number(text: str, label: Label) -> Read:
    if not _NUMBER.fullmatch(text.strip()):
        return Read(math.nan, f"value '{text}' is no number")
    value = float(text)
    if label.range is not None and not label.range[0] <= value <= label.range[1]:
        return Read(math.nan, f"values outside [{label.range[0]:g}, {label.range[1]:g}]")
    return Read(value)


def has_label(row: Mapping[str, Any], label: Label) -> bool:
    """Whether the dataset of a recording has a label."""
    return not label.datasets or row["dataset"] in label.datasets


def recording_values(
    row: Mapping[str, Any], labels: Mapping[str, AnyLabel], notes: Counter[str]
) -> dict[str, Value]:
    """Return the labels of a recording and of its person, by name.

    Parameters
    ----------
    row
        A row of the inventory.
    labels
        All declared labels; those of intervals, events and moments are left out.
    notes
        Counts recordings whose value is written and can't be taken; added to.
    """
    values: dict[str, Value] = {}
    known = {key: json.loads(row[key]) for key in ("person", "facts")}
    for name, label in labels.items():
        if isinstance(label, PersonLabel | RecordingLabel):
            texts = stated(row, known, label) if has_label(row, label) else []
            read = _first([read_value(text, label) for text in texts], label)
            notes[f"label {name}: {read.fault}"] += bool(read.fault)
            values[name] = read.value
    return values


def stated(
    row: Mapping[str, Any], known: Mapping[str, Mapping[str, str]], label: PersonLabel | RecordingLabel
) -> list[str]:
    """Return what is written where a label is declared: none or one text, or the names of all folders.

    Parameters
    ----------
    row
        A row of the inventory.
    known
        Its ``person`` and ``facts``, parsed.
    label
        The declaration.
    """
    if isinstance(label, PersonLabel):
        text = known["person"].get(label.column)
    elif label.entity == "folder":
        return list(PurePath(row["folder"]).parts)
    elif label.entity is not None:
        text = row[label.entity] or None
    else:
        text = known["facts"].get(str(label.column))
    return [] if text is None else [text]


def _first(reads: list[Read], label: Label) -> Read:
    """The first that says something; of several folders most are in no class, which is no fault."""
    said = [read for read in reads if not read.fault and read.value != unknown(label)]
    if said:
        return said[0]
    return reads[0] if len(reads) == 1 else Read(unknown(label))


def column_values(texts: pd.Series, name: str, label: TimedLabel, notes: Counter[str]) -> np.ndarray:
    """Read a label's values from a column of events; faults are counted in ``notes``.

    Returns
    -------
    numpy.ndarray
        Of float or of str (object), one for each event.
    """
    reads: dict[str, Read] = {text: read_value(text, label) for text in texts.dropna().unique()}
    faults = texts.map({text: read.fault for text, read in reads.items()}).fillna("")
    for fault, count in faults[faults != ""].value_counts().items():
        notes[f"label {name}: {fault}"] += int(count)
    values = [unknown(label) if pd.isna(text) else reads[text].value for text in texts]
    return np.array(values, dtype=object if label.is_class else np.float64)
