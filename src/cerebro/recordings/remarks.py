"""What a user should know of recordings that are used: channels left out, subjects of two descriptions."""

import json
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cerebro.recordings import tuh
from cerebro.recordings.headers import Header
from cerebro.recordings.recording import Recording

_MOST_LABELS = 20
_YEARS = 1.0
"""Differences of age that are none: headers hold whole years, tables the age at another visit."""


def channels_not_understood(rows: Sequence[dict[str, Any]]) -> str:
    """Say in how many usable recordings channels were left out since nobody knows them; empty if in none."""
    usable = [(row["path"], json.loads(row["left_out"])) for row in rows if row["status"] == "ok"]
    concerned = [(path, labels) for path, labels in usable if labels]
    if not concerned:
        return ""
    counted = Counter(label for _, labels in concerned for label in set(labels))
    shown = [label for label, _ in counted.most_common(_MOST_LABELS)]
    more = f" and {len(counted) - len(shown)} more" if len(counted) > len(shown) else ""
    return (
        f"{len(concerned)} recordings hold channels that are left out, since they are not known to be EEG: "
        f"{', '.join(shown)}{more} (first: {concerned[0][0]})"
    )


def warn_of_contradictions(
    dataset: str,
    recordings: Iterable[tuple[Recording, Header]],
    read_person: Callable[[str], dict[str, str]] | None,
) -> None:
    """Warn, once, where headers say another age or sex than the table of participants, which is used.

    Parameters
    ----------
    dataset
        Its name in the configuration.
    recordings
        What its reader found, and what the header of each says.
    read_person
        What reads the subject from the patient field of a header, if the reader has it. Else it is read as
        EDF+ lays it out (https://www.edfplus.info/specs/edfplus.html#additionalspecs), which TUH follows.
    """
    read = read_person or tuh.read_person
    compared: Counter[str] = Counter()
    others: dict[str, list[Path]] = {}
    for recording, header in recordings:
        stated = read(header.patient) if header.patient else {}
        for name, differ in (("sex", _other_sex), ("age", _other_age)):
            if name not in stated or name not in recording.person:
                continue
            other = differ(stated[name], recording.person[name])
            compared[name] += other is not None
            if other:
                others.setdefault(name, []).append(recording.path)
    if others:
        counts = " and ".join(f"{name} in {len(paths)} of {compared[name]}" for name, paths in others.items())
        warnings.warn(
            f"datasets.{dataset}: {counts} headers is another than in the table of participants (first: "
            f"{next(iter(others.values()))[0]}); the table is used",
            stacklevel=2,
        )


def _other_sex(one: str, other: str) -> bool | None:
    """Whether two texts mean different sexes; None where one of them means none."""
    letters = [text.strip().upper()[:1] for text in (one, other)]
    return letters[0] != letters[1] if set(letters) <= {"M", "F"} else None


def _other_age(one: str, other: str) -> bool | None:
    """Whether two texts mean different ages; None where one of them is no number."""
    try:
        difference = abs(float(one) - float(other))
    except ValueError:
        return None
    return None if math.isnan(difference) else difference > _YEARS
