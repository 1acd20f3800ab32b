"""Small archives on disk, as a user has them: valid headers, noise, real rules."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest

from cerebro.cli import main

NET = (*(f"E{number}" for number in range(1, 129)), "Cz")
CLINICAL = ("EEG FP1-REF", "EEG FP2-REF", "EEG T3-REF", "EEG CZ-REF", "EEG EKG1-REF")
MOVIE = "onset\tvalue\tevent_code\n1.0\tvideo_start\t83\n"
TRIALS = "onset\tvalue\tevent_code\tfeedback\n" + "".join(
    f"{start}\tcontrastTrial_start\t5\tn/a\n{start + 2}\tleft_target\t8\tn/a\n"
    f"{start + 3.5}\tleft_buttonPress\t12\tsmiley_face\n"
    for start in range(1, 25, 6)
)


@cache
def _noise(kind: str, labels: tuple[str, ...], sfreq: int, seconds: int, age: int) -> bytes:
    file, signal = (edfio.Bdf, edfio.BdfSignal) if kind == "bdf" else (edfio.Edf, edfio.EdfSignal)
    channel = np.random.default_rng(0).normal(0, 20, sfreq * seconds)
    return file(
        [
            signal(channel, sfreq, label=label, physical_dimension="uV", physical_range=(-4e3, 4e3))
            for label in labels
        ],
        patient=edfio.Patient(
            code="x", sex="F", birthdate=date(1950, 1, 1), name="x", additional=[f"Age:{age}"] if age else []
        ),
    ).to_bytes()


@pytest.fixture
def hbn_release() -> Callable[..., Path]:
    """Write a release in the challenge's layout: per subject a movie and 30 s of contrast change."""

    def write(root: Path, subjects: Mapping[str, str], *, movie: bool = True, seconds: int = 30) -> Path:
        rows = ["participant_id\trelease_number\tsex\tage\tp_factor\tattention\tinternalizing\texternalizing"]
        for subject, externalizing in subjects.items():
            release = root.name.split("_")[0]
            rows.append(f"{subject}\t{release}\tF\t9.5\t0.1\t0.2\t0.3\t{externalizing}")
            eeg = root / subject / "eeg"
            eeg.mkdir(parents=True)
            files = {"contrastChangeDetection_run-1": (TRIALS, seconds)}
            if movie:
                files["DespicableMe"] = (MOVIE, 12)
            for task, (events, length) in files.items():
                (eeg / f"{subject}_task-{task}_eeg.bdf").write_bytes(_noise("bdf", NET, 100, length, 0))
                (eeg / f"{subject}_task-{task}_events.tsv").write_text(events)
        (root / "participants.tsv").write_text("\n".join(rows) + "\n")
        return root

    return write


@pytest.fixture
def tuh_patient() -> Callable[..., Path]:
    """Write a recording of the TUH corpus."""

    def write(root: Path, patient: str, *, seconds: int = 20, age: int = 65) -> Path:
        path = root / f"edf/000/{patient}/s001_2015/01_tcp_ar/{patient}_s001_t000.edf"
        path.parent.mkdir(parents=True)
        path.write_bytes(_noise("edf", CLINICAL, 250, seconds, age))
        return path

    return write


@pytest.fixture
def archive(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hbn_release: Callable[..., Path],
    tuh_patient: Callable[..., Path],
) -> Path:
    """The working directory, with HBN's R1 and R5 and three TUH patients below `data`."""
    monkeypatch.chdir(tmp_path)
    hbn_release(Path("data/hbn/R1_L100_bdf"), {f"sub-A{n}": "0.4" if n else "n/a" for n in range(6)})
    hbn_release(Path("data/hbn/R5_L100_bdf"), {"sub-E0": "0.1", "sub-E1": "n/a"})
    for patient in ("aaaaaaaa", "aaaaaaab", "aaaaaaac"):
        tuh_patient(Path("data/tuh"), patient)
    return tmp_path


OVERLAY: dict[str, Any] = {
    "extends": "challenge",
    "name": "mine",
    "datasets": {
        "hbn": {"roots": ["data/hbn"], "groups": 1},
        "tuh": {"roots": ["data/tuh"], "groups": 1},
    },
    "phases": {"contrast": {"sources": {"movie": 1}}},
}


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run `cerebro check` with changes to the overlay; returns its exit code and what it said."""

    def run(changes: Mapping[str, Any] | None = None) -> tuple[int, str]:
        path = tmp_path / "mine.yaml"
        path.write_text(json.dumps(_merged(OVERLAY, changes or {})))
        code = main(["check", str(path)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
