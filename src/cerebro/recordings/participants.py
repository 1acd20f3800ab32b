"""What a BIDS ``participants.tsv`` knows of each subject: release, age, sex and the four factors."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cerebro.errors import UserError
from cerebro.recordings.recording import FACTORS, Person

HUMAN_AGES = (0.0, 120.0)
"""Ages in years that a table may state; what lies outside is a code or a mistake."""

MAX_FACTOR = 10.0
"""Factors are standardised scores: what lies further than this from 0 is a code for a missing value."""

# https://bids-specification.readthedocs.io/en/stable/modality-agnostic-files/data-summary-files.html
_SEXES = {"m": 0.0, "male": 0.0, "f": 1.0, "female": 1.0}
_MISSING = {"", "n/a", "na", "nan", "none", "null"}
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")
_RELEASE = re.compile(r"(?:r(?:elease)?[ _-]?)?(\d{1,2})(?:\.0)?", flags=re.IGNORECASE)
_COLUMNS = ("release_number", "sex", "age", *FACTORS)


@dataclass(frozen=True)
class Participant:
    """One subject of a table."""

    releases: frozenset[str]
    """Releases that the table states: none, one, or several if its rows disagree."""
    person: Person
    """Labels, NaN where missing or in doubt."""


def read_participants(
    path: Path, *, ages: tuple[float, float] = HUMAN_AGES, wanted: tuple[str, ...] = _COLUMNS
) -> dict[str, Participant]:
    """Read release and labels of every subject in a BIDS ``participants.tsv``.

    No content of a table raises. What is missing, no number, an unexpected sex, or out of range is NaN; so is
    every label on which two rows of one subject disagree. One warning counts them all.

    Parameters
    ----------
    path
        The table; one that isn't there has no subjects.
    ages
        Lowest and highest age in years that is possible in this archive.
    wanted
        Columns whose absence is worth a warning.

    Returns
    -------
    dict
        By subject (``sub-…``).

    Raises
    ------
    UserError
        If the table is there and the disk or the network does not give it: nobody would miss the labels.
    """
    counts: Counter[str] = Counter()
    try:
        rows = _rows(path, counts)
    except (FileNotFoundError, ValueError) as error:
        why = "it is not there" if isinstance(error, FileNotFoundError) else str(error)
        warnings.warn(f"{path}: no labels and no releases, since {why}", stacklevel=2)
        return {}
    except OSError as error:
        raise UserError(f"{path} can't be read ({error}); running again may help") from error
    people: dict[str, list[Participant]] = {}
    for row in rows:
        subject = _subject(row.get("participant_id", ""))
        if not subject:
            counts["rows without a subject"] += 1
            continue
        people.setdefault(subject, []).append(_participant(row, ages, counts))
    if rows:
        for column in wanted:
            counts[f"column {column} missing: labels of subjects"] += len(people) * (column not in rows[0])
    merged = {subject: _merge(same, counts) for subject, same in people.items()}
    if counts.total():
        listed = ", ".join(f"{what} {size}" for what, size in counts.items() if size)
        warnings.warn(f"{path}: taken as missing: {listed}", stacklevel=2)
    return merged


def _rows(path: Path, counts: Counter[str]) -> list[dict[str, str]]:
    """The table as text, by column; cells that a short row lacks are empty."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    header = [name.strip() for name in lines[0].split("\t")] if lines else []
    if "participant_id" not in header:
        raise ValueError("it has no column participant_id")
    rows = []
    for line in lines[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        counts["rows with too few or too many cells"] += len(cells) != len(header)
        cells += [""] * (len(header) - len(cells))
        # Reversed, so that of two columns with one name the first counts.
        rows.append(dict(reversed(list(zip(header, cells, strict=False)))))
    return rows


def _subject(text: str) -> str:
    name = text.removeprefix("sub-")
    return "" if name.lower() in _MISSING else f"sub-{name}"


def _participant(row: Mapping[str, str], ages: tuple[float, float], counts: Counter[str]) -> Participant:
    stated = row.get("release_number", "")
    release = _RELEASE.fullmatch(stated)
    counts["values of release_number unreadable"] += release is None and not _is_missing(stated)
    sex = row.get("sex", "")
    counts["values of sex unexpected"] += sex.lower() not in _SEXES and not _is_missing(sex)
    ranges = {"age": ages, **dict.fromkeys(FACTORS, (-MAX_FACTOR, MAX_FACTOR))}
    numbers = {name: _number(row.get(name, ""), name, low_high, counts) for name, low_high in ranges.items()}
    return Participant(
        releases=frozenset({f"R{int(release[1])}"} if release else ()),
        person=Person(sex=_SEXES.get(sex.lower(), math.nan), **numbers),
    )


def _number(text: str, name: str, low_high: tuple[float, float], counts: Counter[str]) -> float:
    if _is_missing(text):
        return math.nan
    if not _NUMBER.fullmatch(text):
        counts[f"values of {name} unreadable"] += 1
        return math.nan
    value = float(text)
    if not low_high[0] <= value <= low_high[1]:
        counts[f"values of {name} out of range"] += 1
        return math.nan
    return value


def _is_missing(text: str) -> bool:
    return text.lower() in _MISSING


def _merge(same: list[Participant], counts: Counter[str]) -> Participant:
    """One subject of several rows: what they agree on; a row that says nothing contradicts none."""
    if len(same) == 1:
        return same[0]
    counts["subjects listed more than once"] += 1
    labels: dict[str, float] = {}
    for name in vars(same[0].person):
        stated = {value for one in same if not math.isnan(value := getattr(one.person, name))}
        labels[name] = stated.pop() if len(stated) == 1 else math.nan
        counts[f"values of {name} on which rows of one subject disagree"] += bool(stated)
    return Participant(frozenset().union(*(one.releases for one in same)), Person(**labels))
