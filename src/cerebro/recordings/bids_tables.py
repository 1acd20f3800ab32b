"""BIDS's tables (``participants.tsv``, ``scans.tsv``) as text: what each says of whom or what, by column.

Values stay as they are written; a declared label says how they are read (:mod:`cerebro.shards.labels`).
"""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from cerebro.errors import UserError

# BIDS has `n/a` (https://bids-specification.readthedocs.io/en/stable/common-principles.html#tabular-files);
# the others occur.
_MISSING = {"", "n/a", "na", "nan", "null"}

Row = dict[str, str]
"""Text by column; columns whose value is missing are left out."""


def is_missing(text: str) -> bool:
    """Whether a cell of a table says nothing."""
    return text.strip().lower() in _MISSING


def subject_name(text: str) -> str:
    """Return the subject that a table names, as ``sub-…``; empty where it names none."""
    name = text.removeprefix("sub-")
    return "" if is_missing(name) else f"sub-{name}"


def read_participants(path: Path) -> dict[str, Row]:
    """Read what a ``participants.tsv`` says of each subject (``sub-…``), see :func:`read_table`."""
    return read_table(path, "participant_id", subject_name)


def read_scans(path: Path) -> dict[str, Row]:
    """Read what a ``scans.tsv`` says of each file, by its path in the table, see :func:`read_table`.

    A table is optional: one that isn't there says nothing of any file.
    """
    return read_table(path, "filename") if path.is_file() else {}


def read_table(path: Path, key: str, name_of: Callable[[str], str] = str) -> dict[str, Row]:
    """Read a table of which each entry has one row.

    No content of a table raises. Missing values are left out, and so are values on which two rows of one
    entry disagree. One warning counts what was wrong.

    Parameters
    ----------
    path
        The table; one that isn't there, or has no column ``key``, has no entries, which is worth a warning.
    key
        The column that names the entries.
    name_of
        Makes the name of an entry from the text in this column; rows with an empty name are left out.

    Raises
    ------
    UserError
        If the table is there and the disk or the network does not give it: nobody would miss the labels.
    """
    counts: Counter[str] = Counter()
    entries = read_entries(path, key, name_of, counts)
    table = {name: agreed(rows, counts) for name, rows in entries.items()}
    warn_of(path, counts)
    return table


def read_entries(
    path: Path, key: str, name_of: Callable[[str], str], counts: Counter[str]
) -> dict[str, list[Row]]:
    """Read all rows of each entry; parameters and errors of :func:`read_table`, ``counts`` is added to."""
    try:
        rows = _rows(path, key, counts)
    except (FileNotFoundError, ValueError) as error:
        why = "it is not there" if isinstance(error, FileNotFoundError) else str(error)
        warnings.warn(f"{path}: nothing is known from it, since {why}", stacklevel=2)
        return {}
    except OSError as error:
        raise UserError(f"{path} can't be read ({error}); running again may help") from error
    entries: dict[str, list[Row]] = {}
    for row in rows:
        name = name_of(row.pop(key, ""))
        if name:
            entries.setdefault(name, []).append(row)
        else:
            counts[f"rows without a {key}"] += 1
    return entries


def agreed(rows: Sequence[Row], counts: Counter[str]) -> Row:
    """Return what all rows of one entry agree on; a row that says nothing contradicts none."""
    if len(rows) == 1:
        return rows[0]
    counts["entries listed more than once"] += 1
    stated: dict[str, set[str]] = {}
    for row in rows:
        for column, value in row.items():
            stated.setdefault(column, set()).add(value)
    for column, values in stated.items():
        counts[f"values of {column} on which rows of one entry disagree"] += len(values) > 1
    return {column: min(values) for column, values in stated.items() if len(values) == 1}


def warn_of(path: Path, counts: Counter[str]) -> None:
    """Warn, once, of all that was counted in a table."""
    if counts.total():
        listed = ", ".join(f"{what} {size}" for what, size in counts.items() if size)
        warnings.warn(f"{path}: taken as missing: {listed}", stacklevel=3)


def _rows(path: Path, key: str, counts: Counter[str]) -> list[Row]:
    """The table by column; of two columns of one name the first counts."""
    # Not pandas' parser: it stops at a row with a field too many, and a stray quotation mark swallows rows.
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    header = [name.strip() for name in lines[0].split("\t")] if lines else []
    if key not in header:
        raise ValueError(f"it has no column {key}")
    rows = []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        counts["rows with too few or too many cells"] += len(cells) != len(header)
        row = dict(reversed(list(zip(header, cells, strict=False))))
        rows.append({column: value for column, value in row.items() if column and not is_missing(value)})
    return rows
