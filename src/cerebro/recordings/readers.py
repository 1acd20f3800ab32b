"""Readers of archives: what a module must offer so that its recordings enter the pipeline.

A reader is a module. Four are built in (``bids``, ``hbn``, ``tuh``, ``files``); any other is named by its
dotted module name, so that a new archive is one file and one section of the configuration. A reader has

``scan(roots: Sequence[Path]) -> Iterator[Recording]``
    Every recording below the folders, headers unread: the inventory opens each file itself, once.
``read_events(path: Path) -> pandas.DataFrame``, optional
    Events of a recording, in the columns of :func:`cerebro.recordings.events.read_events`: at least
    ``onset``, ``value`` or ``trial_type``, ``duration`` (s) where blocks have one, and any column that a
    label is declared on. Raises ``FileNotFoundError`` where there are none and ``ValueError`` where they
    can't be read. A reader without it has no events; its recordings give windows of fixed length.
``interpret_events(events, *, row, duration, notes) -> pandas.DataFrame``, optional
    Turns an archive's own codes into plain events, see :mod:`cerebro.recordings.hbn_events`. Without it,
    labels are declared on the events as they are.
``read_person(patient: str) -> dict[str, str]``, optional
    What the patient field of an EDF or BDF header says of the subject, where the archive keeps it there:
    ``age`` in years and ``sex``, as text.
"""

import ast
import importlib
import importlib.util
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cerebro.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from cerebro.recordings.recording import Recording

BUILT_IN = ("bids", "hbn", "tuh", "files")
"""Readers that need no module of one's own."""


class Reader(Protocol):
    """What every reader module has."""

    def scan(self, roots: "Sequence[Path]") -> "Iterator[Recording]":
        """Yield every recording below ``roots``, headers unread."""
        ...


def load_reader(name: str) -> Reader:
    """Import a reader.

    Parameters
    ----------
    name
        One of :data:`BUILT_IN`, or the dotted name of a module on Python's path.

    Raises
    ------
    UserError
        If there is no such module, it can't be imported, or it has no function ``scan``.
    """
    # Imports that stand here in full are followed by code digests; names built at run time are not.
    match name:
        case "bids":
            from cerebro.recordings import bids

            return bids
        case "hbn":
            from cerebro.recordings import hbn

            return hbn
        case "tuh":
            from cerebro.recordings import tuh

            return tuh
        case "files":
            from cerebro.recordings import files

            return files
    find_reader(name)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # whatever a module of one's own does wrong
        raise _faulty(name, error) from error
    if not callable(getattr(module, "scan", None)):
        raise UserError(f"reader '{name}' ({module.__file__}) has no function scan(roots)")
    return module


def find_reader(name: str) -> Path | None:
    """Return the source of a reader of one's own without importing it; None for those built in.

    Raises
    ------
    UserError
        If there is no such module, the package that holds it can't be imported, or it is no valid Python.
    """
    if name in BUILT_IN:
        return None
    try:
        found = importlib.util.find_spec(name)
    except Exception as error:  # whatever the package that should hold it does wrong
        if not isinstance(error, ModuleNotFoundError) or not f"{name}.".startswith(f"{error.name}."):
            raise _faulty(name, error) from error
        found = None
    if found is None or found.origin is None:
        raise UserError(
            f"there is no reader '{name}'; built in are {', '.join(BUILT_IN)}, any other is a module on "
            "Python's path (PYTHONPATH, or the folder where the workflow runs)"
        )
    source = Path(found.origin)
    if source.suffix != ".py":
        raise UserError(f"reader '{name}' ({source}) is no module that is written in Python")
    try:
        ast.parse(importlib.util.decode_source(source.read_bytes()), filename=source.name)
    except (SyntaxError, ValueError, OSError) as error:
        raise UserError(f"reader '{name}' ({source}) can't be read: {_said(error)}") from error
    return source


def _faulty(name: str, error: Exception) -> UserError:
    """What went wrong in an import, and where: it may lie in what the reader imports."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return UserError(
        f"reader '{name}' can't be imported ({where.filename}, line {where.lineno}): {_said(error)}"
    )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def events_function(name: str) -> "Callable[[Path], pd.DataFrame] | None":
    """Return the ``read_events`` of a reader, or None where its archive has no events."""
    return getattr(load_reader(name), "read_events", None)


def interpret_function(name: str) -> "Callable[..., pd.DataFrame] | None":
    """Return the ``interpret_events`` of a reader, or None where its events are plain ones already."""
    return getattr(load_reader(name), "interpret_events", None)


def person_function(name: str) -> "Callable[[str], dict[str, str]] | None":
    """Return the ``read_person`` of a reader, or None where headers say nothing of the subject."""
    return getattr(load_reader(name), "read_person", None)
