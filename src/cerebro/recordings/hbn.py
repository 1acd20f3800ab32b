"""Find HBN-EEG recordings: OpenNeuro's releases and the challenge's 100 Hz copies, any subset of them.

A BIDS root is recognised by its subject folders, wherever it lies below the given folders. Originals are
EEGLAB ``.set`` at 500 Hz; the challenge's copies are at 100 Hz, already band-passed to 0.5 to 50 Hz, with the
reference kept at Cz: ``.bdf`` (``R5_L100_bdf``, ``R5_mini_L100_bdf``, eegdash's ``EEG2025r5``) or ``.set``
(``R5_L100``, ``R5_mini_L100``).
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from cerebro.recordings import events
from cerebro.recordings.folders import walk_files
from cerebro.recordings.participants import Participant, read_participants
from cerebro.recordings.recording import Person, Recording
from cerebro.recordings.releases import ACCESSIONS

_FILE = re.compile(
    r"(?P<subject>sub-[A-Za-z0-9]+)(_ses-(?P<session>[A-Za-z0-9]+))?_task-(?P<task>[A-Za-z0-9]+)"
    r"(_acq-(?P<acq>[A-Za-z0-9]+))?(_run-(?P<run>\d+))?_eeg\.(?P<format>(?i:set|bdf))"
)
_RELEASE_IN_FOLDER = re.compile(r"(?:^|[_-]|2025)R(\d+)(?=$|[_-]|mini)", flags=re.IGNORECASE)
_CHALLENGE_FOLDER = re.compile(r"(?:^|[_-])L100(?=$|[_-])", flags=re.IGNORECASE)

AGES = (4.0, 23.0)
"""Ages in years that are possible: HBN enrols from 5 to 21 (Alexander et al. 2017,
https://doi.org/10.1038/sdata.2017.181), and its tables reach from 5.0 to 22.0."""

_NOBODY = Participant(frozenset(), Person())


def scan(roots: Sequence[Path]) -> Iterator[Recording]:
    """Yield every HBN recording below ``roots``, headers unread."""
    archives: dict[Path, dict[str, Participant]] = {}
    for path in walk_files(roots):
        match = _FILE.fullmatch(path.name)
        archive = _bids_root(path, match["subject"]) if match else None
        if match is None or archive is None:
            continue
        if archive not in archives:
            archives[archive] = read_participants(archive / "participants.tsv", ages=AGES)
        subject, run = match["subject"], match["run"] or ""
        participant = archives[archive].get(subject, _NOBODY)
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
                    match["session"],
                    match["task"],
                    match["acq"],
                    run and f"run-{run}",
                )
                if part
            ),
            release=release,
            session=match["session"] or "",
            task=match["task"],
            run=run,
            reference="Cz",
            filtered=match["format"].lower() == "bdf" or _CHALLENGE_FOLDER.search(archive.name) is not None,
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
    """Read the events beside a recording, see :func:`cerebro.recordings.events.read_events`."""
    return events.read_events(events_path(recording))


def _doubt(releases: Sequence[str]) -> str:
    """Without its release nobody knows whether a recording belongs to the test set: it is not used."""
    if releases:
        return f"release unclear: participants.tsv and the folder's name say {' and '.join(releases)}"
    return "release unknown: neither participants.tsv nor the folder's name says"


def _bids_root(path: Path, subject: str) -> Path | None:
    for folder in path.parents:
        if folder.name == subject:
            return folder.parent
    return None
