"""Find HBN-EEG recordings: OpenNeuro's releases and the challenge's 100 Hz copies, any subset of them.

A BIDS root is recognised by its subject folders, wherever it lies below the given folders. Originals are
EEGLAB ``.set`` at 500 Hz; the challenge's copies are at 100 Hz, already band-passed to 0.5 to 50 Hz, with the
reference kept at Cz: ``.bdf`` (``R5_L100_bdf``, ``R5_mini_L100_bdf``, eegdash's ``EEG2025r5``) or ``.set``
(``R5_L100``, ``R5_mini_L100``).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from cerebro.recordings import events
from cerebro.recordings.bids_names import bids_root, parse_name
from cerebro.recordings.bids_tables import Row, agreed, read_entries, subject_name, warn_of
from cerebro.recordings.folders import walk_files
from cerebro.recordings.hbn_events import interpret_events
from cerebro.recordings.recording import Recording
from cerebro.recordings.releases import ACCESSIONS

__all__ = ["AGES", "events_path", "interpret_events", "read_events", "release_of_folder", "scan"]

_ENTITIES = {"sub", "ses", "task", "acq", "run"}
_FORMATS = (".set", ".bdf")
_RELEASE_IN_FOLDER = re.compile(r"(?:^|[_-]|2025)R(\d+)(?=$|[_-]|mini)", flags=re.IGNORECASE)
_CHALLENGE_FOLDER = re.compile(r"(?:^|[_-])L100(?=$|[_-])", flags=re.IGNORECASE)

AGES = (4.0, 23.0)
"""Ages in years that are possible: HBN enrols from 5 to 21 (Alexander et al. 2017,
https://doi.org/10.1038/sdata.2017.181), and its tables reach from 5.0 to 22.0."""

_STATED_RELEASE = re.compile(r"(?:r(?:elease)?[ _-]?)?(\d{1,2})(?:\.0)?", flags=re.IGNORECASE)


class _Participant(NamedTuple):
    releases: frozenset[str] = frozenset()
    """Releases that the table states: none, one, or several if its rows disagree."""
    person: Mapping[str, str] = {}


def scan(roots: Sequence[Path]) -> Iterator[Recording]:
    """Yield every HBN recording below ``roots``, headers unread."""
    archives: dict[Path, dict[str, _Participant]] = {}
    for path in walk_files(roots):
        name = parse_name(path.name)
        if name is None or name.suffix != "eeg" or name.extension not in _FORMATS:
            continue
        archive = bids_root(path, name.subject)
        if archive is None or "task" not in name.entities or not name.entities.keys() <= _ENTITIES:
            continue
        if archive not in archives:
            archives[archive] = _participants(archive / "participants.tsv")
        subject, task = name.subject, name.entities["task"]
        session, acquisition, run = (name.entities.get(key, "") for key in ("ses", "acq", "run"))
        participant = archives[archive].get(subject, _Participant())
        releases = sorted(participant.releases | ({release_of_folder(archive.name)} - {""}))
        release = releases[0] if len(releases) == 1 else ""
        yield Recording(
            path=path,
            subject=subject,
            name=tuple(
                part
                for part in (
                    release,
                    subject,
                    session,
                    task,
                    acquisition,
                    run and f"run-{run}",
                )
                if part
            ),
            release=release,
            session=session,
            task=task,
            acquisition=acquisition,
            run=run,
            reference="Cz",
            filtered=name.extension == ".bdf" or _CHALLENGE_FOLDER.search(archive.name) is not None,
            person=participant.person,
            problem="" if release else _doubt(releases),
        )


def release_of_folder(name: str) -> str:
    """Return the release that a folder's name tells (``R5_mini_L100_bdf``, ``EEG2025r5``, ``ds005509-bdf``).

    Empty when it tells none, or several.
    """
    for release, accession in ACCESSIONS.items():
        if name.startswith(accession):
            return release
    told = {f"R{int(number)}" for number in _RELEASE_IN_FOLDER.findall(name)}
    return told.pop() if len(told) == 1 else ""


def events_path(recording: Path) -> Path:
    """Return where BIDS keeps the events of a recording: beside it."""
    return recording.with_name(recording.name.rsplit("_eeg.", 1)[0] + "_events.tsv")


def read_events(recording: Path) -> pd.DataFrame:
    """Read the events beside a recording, see :func:`cerebro.recordings.events.read_events`.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If they can't be read, or none of them has a value.
    """
    path = events_path(recording)
    found = events.read_events(path)
    if len(found) and (found["value"] == "n/a").all():
        raise ValueError(f"{path} has no column value, or nothing in it")
    return found


def _participants(path: Path) -> dict[str, _Participant]:
    """What a ``participants.tsv`` says of each subject; impossible ages are left out."""
    counts: Counter[str] = Counter()
    entries = read_entries(path, "participant_id", subject_name, counts)
    found = {name: _participant(rows, counts) for name, rows in entries.items()}
    warn_of(path, counts)
    return found


def _participant(rows: Sequence[Row], counts: Counter[str]) -> _Participant:
    releases = set()
    for stated in {row["release_number"] for row in rows if "release_number" in row}:
        if match := _STATED_RELEASE.fullmatch(stated):
            releases.add(f"R{int(match[1])}")
        else:
            counts["values of release_number unreadable"] += 1
    person = agreed(rows, counts)
    if not _is_possible(person.get("age", "")):
        counts["values of age out of range"] += 1
        del person["age"]
    return _Participant(frozenset(releases), person)


def _is_possible(age: str) -> bool:
    try:
        return AGES[0] <= float(age) <= AGES[1]
    except ValueError:  # the label counts what is no number
        return True


def _doubt(releases: Sequence[str]) -> str:
    """Without its release nobody knows whether a recording belongs to the test set: it is not used."""
    if releases:
        return f"release unclear: participants.tsv and the folder's name say {' and '.join(releases)}"
    return "release unknown: neither participants.tsv nor the folder's name says"
