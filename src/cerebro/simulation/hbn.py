"""HBN-EEG releases on disk: BIDS folders, recordings, sidecars with the real columns and codes."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cerebro.config import SimulatedRelease, Simulation
from cerebro.files import atomic_path, write_json
from cerebro.simulation import effects, timeline
from cerebro.simulation.formats import write_bdf, write_set
from cerebro.simulation.head import NET, electrode_directions
from cerebro.simulation.populations import POPULATIONS
from cerebro.simulation.recording import Amplifier, record
from cerebro.simulation.subjects import Subject, child_name, draw_child, subject_rng
from cerebro.simulation.timeline import Event, Timeline

SFREQ = {"bdf": 100.0, "set": 500.0}
AVAILABILITY = (
    "RestingState",
    "DespicableMe",
    "FunwithFractals",
    "ThePresent",
    "DiaryOfAWimpyKid",
    "contrastChangeDetection_1",
    "contrastChangeDetection_2",
    "contrastChangeDetection_3",
    "surroundSupp_1",
    "surroundSupp_2",
    "seqLearning6target",
    "seqLearning8target",
    "symbolSearch",
)
"""Columns of ``participants.tsv`` that say which recordings a participant has, in the real order."""
_CONTRAST_CHANGE = "contrastChangeDetection"


@dataclass(frozen=True)
class Planned:
    """A recording to be written."""

    task: str
    run: str
    """BIDS run, empty for tasks with one."""
    timeline: Timeline

    @property
    def name(self) -> str:
        """The BIDS entities after the subject."""
        return f"task-{self.task}_run-{self.run}" if self.run else f"task-{self.task}"


def release_folder(release: str, settings: SimulatedRelease) -> str:
    """The folder of a release below ``hbn/``: as OpenNeuro's, or as the challenge's copies are called."""
    return f"{release}_L100_bdf" if settings.format == "bdf" else release


def plan(subject: Subject, settings: Simulation) -> list[Planned]:
    """All recordings of a participant, with their events."""

    def rng(name: str) -> np.random.Generator:
        return subject_rng(settings.seed, subject.name, name, "events")

    contrast = timeline.contrast_change(
        subject, trials=settings.contrast_change_trials, rng=rng(_CONTRAST_CHANGE)
    )
    resting = timeline.resting_state(cycles=settings.resting_cycles, rng=rng("RestingState"))
    movies = [
        Planned(name, "", timeline.movie(name, seconds=settings.movie_seconds, rng=rng(name)))
        for name in settings.movies
    ]
    return [Planned(_CONTRAST_CHANGE, "1", contrast), Planned("RestingState", "", resting), *movies]


def write_participant(root: Path, *, release: str, index: int, settings: Simulation) -> dict[str, Any]:
    """Write all files of one participant.

    Parameters
    ----------
    root
        The folder that holds the releases.
    index
        Of the participant within the release.

    Returns
    -------
    dict
        The participant's row of the ground truth.
    """
    kind = settings.releases[release].format
    subject = draw_child(settings.seed, child_name(release, index), POPULATIONS[settings.effects])
    folder = root / release_folder(release, settings.releases[release]) / subject.name / "eeg"
    amplifier = Amplifier(
        directions=electrode_directions(NET),
        reference=("Cz",),
        sfreq=SFREQ[kind],
        band_limited=kind == "bdf",
        faulty_channels=subject.effects.faulty_channels,
    )
    truth: dict[str, Any] = {"archive": "hbn", "release": release, **subject.latents()}
    for planned in plan(subject, settings):
        stem = f"{subject.name}_{planned.name}"
        events = planned.timeline.events
        data = record(subject, planned.timeline, amplifier=amplifier, name=planned.name, seed=settings.seed)
        if kind == "bdf":
            write_bdf(
                folder / f"{stem}_eeg.bdf", data, names=list(amplifier.directions), sfreq=amplifier.sfreq
            )
        else:
            write_set(
                folder / f"{stem}_eeg.set",
                data,
                directions=amplifier.directions,
                sfreq=amplifier.sfreq,
                events=events,
            )
        _write_events(folder / f"{stem}_events.tsv", planned, samples=kind == "set")
        _write_channels(folder / f"{stem}_channels.tsv", list(amplifier.directions))
        write_json(folder / f"{stem}_eeg.json", _eeg_json(planned, amplifier))
        if planned.timeline.trials:
            truth["target_onset"] = [trial.target for trial in planned.timeline.trials]
            truth["reaction_time"] = [trial.reaction_time for trial in planned.timeline.trials]
    return truth


def write_release(root: Path, *, release: str, settings: Simulation) -> None:
    """Write a release's table of participants and the dataset's description."""
    folder = root / release_folder(release, settings.releases[release])
    recorded = {*settings.movies, "RestingState", f"{_CONTRAST_CHANGE}_1"}
    names = [child_name(release, index) for index in range(settings.releases[release].subjects)]
    subjects = [draw_child(settings.seed, name, POPULATIONS[settings.effects]) for name in names]
    rows = [_participant_row(subject, release, recorded) for subject in subjects]
    rows.sort(key=lambda row: row["participant_id"])
    _write_tsv(folder / "participants.tsv", list(rows[0]), [list(row.values()) for row in rows])
    write_json(
        folder / "dataset_description.json",
        {
            "Name": f"Healthy Brain Network (HBN) EEG - {release}, simulated by cerebro",
            "BIDSVersion": "1.9.0",
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["cerebro"],
            "GeneratedBy": [{"Name": "cerebro.simulation"}],
        },
    )


def _participant_row(subject: Subject, release: str, recorded: set[str]) -> dict[str, str]:
    factors = {
        name: f"{getattr(subject, name):g}" if subject.questionnaire else "n/a" for name in effects.FACTORS
    }
    return {
        "participant_id": subject.name,
        "release_number": release,
        "sex": "M" if subject.male else "F",
        "age": f"{subject.age:g}",
        "ehq_total": f"{subject.handedness:g}",
        "commercial_use": "Yes",
        "full_pheno": "Yes" if subject.questionnaire else "No",
        **factors,
        **{task: "available" if task in recorded else "unavailable" for task in AVAILABILITY},
    }


def _write_events(path: Path, planned: Planned, *, samples: bool) -> None:
    """Write ``events.tsv``; only originals have the ``sample`` column, which is fractional at a boundary."""
    columns = ["onset", "duration", *(["sample"] if samples else []), "value", "event_code"]
    answered = planned.task == _CONTRAST_CHANGE
    if answered:
        columns.append("feedback")

    def row(event: Event) -> list[str]:
        cells = [_number(event.onset), "n/a"]
        if samples:
            cells.append(_number(event.onset * SFREQ["set"]))
        return [*cells, event.value, event.code, *([event.feedback] if answered else [])]

    _write_tsv(path, columns, map(row, planned.timeline.events))


def _write_channels(path: Path, names: Sequence[str]) -> None:
    _write_tsv(path, ["name", "type", "units"], [[name, "EEG", "uV"] for name in names])


def _eeg_json(planned: Planned, amplifier: Amplifier) -> dict[str, Any]:
    return {
        "PowerLineFrequency": 60,
        "TaskName": planned.task,
        "EEGChannelCount": len(amplifier.directions),
        "EEGReference": "Cz",
        "RecordingType": "continuous",
        "RecordingDuration": planned.timeline.seconds,
        "SamplingFrequency": int(amplifier.sfreq),
        "SoftwareFilters": "n/a",
    }


def _write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
