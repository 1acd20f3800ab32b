"""Find HBN-EEG recordings: OpenNeuro's releases and the challenge's 100 Hz copies, any subset of them.

A BIDS root is recognised by its subject folders, wherever it lies below the given folders. Originals are
EEGLAB ``.set`` at 500 Hz; the challenge's copies (``R5_L100_bdf``, ``R5_mini_L100_bdf``, eegdash's
``EEG2025r5``) are ``.bdf`` at 100 Hz, already band-passed to 0.5 to 50 Hz, with the reference kept at Cz.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from cerebro.recordings import events
from cerebro.recordings.folders import walk_files
from cerebro.recordings.participants import read_participants
from cerebro.recordings.recording import Person, Recording
from cerebro.recordings.releases import ACCESSIONS

_FILE = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)(_ses-(?P<session>[A-Za-z0-9]+))?_task-(?P<task>[A-Za-z0-9]+)"
    r"(_acq-[A-Za-z0-9]+)?(_run-(?P<run>\d+))?_eeg\.(?P<format>set|bdf)"
)
_RELEASE_IN_FOLDER = re.compile(r"(?:^|[_-]|2025)R(\d+)(?=$|[_-]|mini)", flags=re.IGNORECASE)


def scan(roots: Sequence[Path]) -> Iterator[Recording]:
    """Yield every HBN recording below ``roots``, headers unread."""
    archives: dict[Path, dict[str, tuple[str, Person]]] = {}
    for path in walk_files(roots):
        match = _FILE.fullmatch(path.name)
        archive = _bids_root(path, match["subject"]) if match else None
        if match is None or archive is None:
            continue
        if archive not in archives:
            table = archive / "participants.tsv"
            archives[archive] = read_participants(table) if table.is_file() else {}
        subject, run = match["subject"], match["run"] or ""
        release, person = archives[archive].get(subject, ("", Person()))
        release = release or release_of_folder(archive.name)
        yield Recording(
            path=path,
            subject=subject,
            name=tuple(
                part
                for part in (release, subject, match["session"], match["task"], run and f"run-{run}")
                if part
            ),
            release=release,
            session=match["session"] or "",
            task=match["task"],
            run=run,
            reference="Cz",
            filtered=match["format"] == "bdf",
            person=person,
            # Without its release nobody knows whether a recording belongs to the test set.
            problem="" if release else "release unknown: neither participants.tsv nor the folder's name says",
        )


def release_of_folder(name: str) -> str:
    """Return the release that a folder's name tells (``R5_mini_L100_bdf``, ``EEG2025r5``, ``ds005509-bdf``).

    Empty when it tells none.
    """
    for release, accession in ACCESSIONS.items():
        if name.startswith(accession):
            return release
    match = _RELEASE_IN_FOLDER.search(name)
    return f"R{match[1]}" if match else ""


def events_path(recording: Path) -> Path:
    """Return where BIDS keeps the events of a recording: beside it."""
    return recording.with_name(recording.name.rsplit("_eeg.", 1)[0] + "_events.tsv")


def read_events(recording: Path) -> pd.DataFrame:
    """Read the events beside a recording, see :func:`cerebro.recordings.events.read_events`."""
    return events.read_events(events_path(recording))


def _bids_root(path: Path, subject: str) -> Path | None:
    for folder in path.parents:
        if folder.name == subject:
            return folder.parent
    return None
