"""Finding the recordings of a large archive, with what their sidecars say."""

import json
import os
import warnings
from pathlib import Path

import mne_bids

from benchmarks.measure import Case, Tables
from cerebro.recordings.bids import scan

TASKS, SESSIONS = ("rest", "sleep"), ("a", "b")
CHANNELS = "name\ttype\tunits\nCz\tEEG\tuV\n"


def tables(folder: Path, *, small: bool) -> Tables:
    """One table of names and sidecars, and one of ten thousand recordings, whose rival reads names alone."""
    few, many = (8, 16) if small else (400, 10_000)
    little, large = folder / "few", folder / "many"
    write_archive(little, few)
    write_archive(large, many)
    return {
        f"Finding {few:,} recordings with their inherited sidecars": [
            Case("ours", "reader `bids`", lambda: _scan(little, few)),
            Case(
                "rival",
                "MNE-BIDS: `find_matching_paths`, `find_matching_sidecar`",
                lambda: _rival(little, few),
            ),
            Case("limit", "`os.walk`", lambda: _walk(little)),
        ],
        f"Finding {many:,} recordings": [
            Case("ours", "reader `bids`, with their inherited sidecars", lambda: _scan(large, many)),
            Case("rival", "MNE-BIDS: `find_matching_paths`, names alone", lambda: _names(large, many)),
            Case("limit", "`os.walk`", lambda: _walk(large)),
        ],
    }


def write_archive(root: Path, n_recordings: int) -> None:
    """Empty recordings of two tasks in two sessions, with sidecars at the root, the subject and beside."""
    root.mkdir()
    (root / "dataset_description.json").write_text('{"Name": "Benchmark", "BIDSVersion": "1.10.0"}')
    for task, mains in zip(TASKS, (50, 60), strict=True):
        (root / f"task-{task}_eeg.json").write_text(json.dumps({"PowerLineFrequency": mains}))
    people = ["participant_id\tage"]
    for number in range(n_recordings // (len(TASKS) * len(SESSIONS))):
        subject = f"sub-{number:05d}"
        people.append(f"{subject}\t{number % 90}")
        for session in SESSIONS:
            eeg = root / subject / f"ses-{session}" / "eeg"
            eeg.mkdir(parents=True)
            for task in TASKS:
                stem = f"{subject}_ses-{session}_task-{task}"
                (eeg / f"{stem}_eeg.edf").touch()
                (eeg / f"{stem}_channels.tsv").write_text(CHANNELS)
        (root / subject / f"{subject}_eeg.json").write_text('{"EEGReference": "Cz"}')
    (root / "participants.tsv").write_text("\n".join(people) + "\n")


def _scan(root: Path, expected: int) -> None:
    found = list(scan([root]))
    if len(found) != expected or {(one.reference, one.mains_hz) for one in found} != {("Cz", 50), ("Cz", 60)}:
        raise RuntimeError(f"{len(found)} recordings were found, or their sidecars were not")


def _names(root: Path, expected: int) -> list[mne_bids.BIDSPath]:
    found: list[mne_bids.BIDSPath] = mne_bids.find_matching_paths(
        root, suffixes="eeg", extensions=".edf", datatypes="eeg"
    )
    if len(found) != expected:
        raise RuntimeError(f"MNE-BIDS found {len(found)} recordings")
    return found


def _rival(root: Path, expected: int) -> None:
    """Its search takes the best sidecar of a kind, and merges none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in _names(root, expected):
            for suffix, extension in (("eeg", ".json"), ("channels", ".tsv")):
                sidecar = path.find_matching_sidecar(suffix=suffix, extension=extension, on_error="warn")
                if sidecar is None:
                    raise RuntimeError(f"MNE-BIDS finds no sidecar of {path}")
                Path(sidecar).read_text()


def _walk(root: Path) -> None:
    for _, folders, files in os.walk(root):
        folders.sort()
        files.sort()
