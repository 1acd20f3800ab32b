"""Read the events of a recording as text. Declared labels say what they mean (:mod:`cerebro.shards.labels`).

All times are seconds of the stored samples: in HBN ``onset`` is ``sample`` divided by the sampling rate,
behind a ``boundary``, where samples were dropped, too.
"""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

BREAKS = ("boundary", "break cnt", "9999")
"""Marks of the recorder: samples dropped, recording broken off, recording taken up again."""

LATEST = 1e6
"""No recording lasts eleven days: events whose time in s lies beyond are errors."""


def read_events(path: Path) -> pd.DataFrame:
    """Read a BIDS ``events.tsv``, sorted by onset.

    Returns
    -------
    pandas.DataFrame
        What :func:`complete_events` returns.

    Raises
    ------
    ValueError
        If the file is no such table: its first line doesn't name the column ``onset``. Every other fault
        costs a row or a field, never the table.
    """
    # Not pandas' parser: it stops at a row with a field too many, and a stray quotation mark swallows the
    # rows up to the next one, while BIDS has no quoting.
    lines = re.split(r"\r\n|\r|\n", path.read_bytes().decode("utf-8-sig", errors="replace"))
    names = lines[0].split("\t")
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    table = pd.DataFrame(
        {
            name: [row[names.index(name)] if names.index(name) < len(row) else "" for row in rows]
            for name in names
        },
        dtype=object,
    )
    table = table.mask(table.isin(["n/a", ""]), np.nan)
    if "event_code" in table:
        table["code"] = table["event_code"]
    return complete_events(table, source=str(path))


def complete_events(table: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """Bring a table of events into one form, whichever reader it comes from.

    Parameters
    ----------
    table
        At least ``onset`` (s); numbers may be text. Where an event has a ``duration`` (s), it is believed.
        The event's ``value`` is its ``trial_type`` in a table that has no ``value``.
    source
        Names the table in messages.

    Returns
    -------
    pandas.DataFrame
        Sorted by onset, equal ones in the table's order: ``onset`` (float, s), ``duration`` (float, s, NaN
        where none: a length of 0 marks a moment), ``value`` and ``code`` (str, ``n/a`` and empty where none),
        then the table's further columns (str, NaN where missing). Rows whose onset is no time are left out
        and counted in a warning.

    Raises
    ------
    ValueError
        If the column ``onset`` is missing.
    """
    if "onset" not in table:
        raise ValueError(f"{source} has no column onset")
    onset = pd.to_numeric(table["onset"], errors="coerce").astype(float)
    known = onset.abs() <= LATEST
    if not known.all():
        warnings.warn(f"{source}: {int((~known).sum())} events without a time are ignored", stacklevel=2)
    duration = pd.to_numeric(text_of(table, "duration"), errors="coerce").astype(float)
    own = {"onset", "duration", "value", "code"}
    events = pd.DataFrame(
        {
            "onset": onset,
            "duration": duration.where((duration > 0) & (duration <= LATEST)),
            "value": text_of(table, "value" if "value" in table else "trial_type").fillna("n/a"),
            "code": text_of(table, "code").fillna("").str.removesuffix(".0"),
            **{name: text_of(table, name) for name in table.columns if name not in own},
        }
    )
    return events[known].sort_values("onset", kind="stable").reset_index(drop=True)


def text_of(table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as text, NaN where a value is missing, and everywhere in a table without it."""
    if name not in table:
        return pd.Series(np.nan, index=table.index, dtype=object)
    column = table[name].astype(object)
    return column.where(column.isna(), column.map(str))
