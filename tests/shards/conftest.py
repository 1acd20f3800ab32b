"""A raw archive of a few seconds each, as the real ones lie on disk: HBN in both formats, TUH."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import edfio
import mne
import numpy as np
import pytest

from cerebro.config import AnyLabel, Dataset, People, Preprocessing, Quality, Splits, Windows
from cerebro.recordings.inventory import build_inventory
from cerebro.shards.build import build_shard
from cerebro.shards.windows import build_index

NET = [*(f"E{number}" for number in range(1, 129)), "Cz"]
TUH_LABELS = ["EEG FP1-REF", "EEG FP2-REF", "EEG T3-REF", "EEG CZ-REF", "EEG EKG1-REF", "IBI"]


def _noise(name: str, n_chans: int, n_times: int) -> np.ndarray:
    """Noise in µV of a dozen sources that all channels share, the same for the same name."""
    rng = np.random.default_rng(sum(map(ord, name)))
    shared = rng.standard_normal((n_chans, 12)) @ rng.standard_normal((12, n_times)) * 15 / np.sqrt(12)
    own = 2 * rng.standard_normal((n_chans, n_times))
    return shared + own + 20 * np.sin(np.arange(n_times) / 40)


def _write_tsv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")


def contrast_events(n_trials: int, *, first: float = 5.0) -> list[tuple[object, ...]]:
    """Events of a contrast change run: a trial every 6 s, reaction times 1.234, 1.334, ... s."""
    rows: list[tuple[object, ...]] = [("onset", "duration", "value", "event_code", "feedback")]
    rows.append((first - 2, "n/a", "contrastChangeB1_start", 94, "n/a"))
    for trial in range(n_trials):
        start = first + 6 * trial
        rows.append((start, "n/a", "contrastTrial_start", 5, "n/a"))
        rows.append((start + 2.805, "n/a", "left_target", 8, "n/a"))
        rows.append((round(start + 4.039 + 0.1 * trial, 3), "n/a", "left_buttonPress", 12, "smiley_face"))
    return rows


def write_hbn(
    root: Path, subject: str, task: str, *, seconds: float, events: Sequence[Sequence[object]]
) -> Path:
    """Write one HBN recording and its events: `.bdf` at 100 Hz in challenge folders, else `.set`."""
    folder = root / subject / "eeg"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{subject}_task-{task}"
    sfreq = 100 if root.name.endswith("bdf") else 500
    signal = _noise(stem, 129, int(seconds * sfreq))
    signal[-1] = 0
    if sfreq == 100:
        path = folder / f"{stem}_eeg.bdf"
        edfio.Bdf(
            [
                edfio.BdfSignal(row, 100, label=name, physical_dimension="uV", physical_range=(-4e3, 4e3))
                for name, row in zip(NET, signal, strict=True)
            ]
        ).write(path)
    else:
        path = folder / f"{stem}_eeg.set"
        raw = mne.io.RawArray(signal / 1e6, mne.create_info(NET, sfreq, "eeg"), verbose="error")
        mne.export.export_raw(path, raw, verbose="error")
    _write_tsv(folder / f"{stem}_events.tsv", events)
    return path


def write_participants(root: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write participants.tsv with the columns that the labels need."""
    header = ("participant_id", "release_number", "sex", "age", "p_factor", "attention", "internalizing")
    _write_tsv(root / "participants.tsv", [(*header, "externalizing"), *rows])


def write_tuh(root: Path, patient: str, *, seconds: float, sfreq: int = 250) -> Path:
    """Write one TUH recording with its folders, age and sex in the header."""
    path = root / f"edf/000/{patient}/s001_2015/01_tcp_ar/{patient}_s001_t000.edf"
    path.parent.mkdir(parents=True)
    signal = _noise(patient, len(TUH_LABELS), int(seconds * sfreq))
    edfio.Edf(
        [
            edfio.EdfSignal(row, sfreq, label=name, physical_dimension="uV", physical_range=(-3e3, 3e3))
            for name, row in zip(TUH_LABELS, signal, strict=True)
        ],
        patient=edfio.Patient(
            code=patient, sex="F", birthdate=date(1950, 1, 1), name=patient, additional=["Age:32"]
        ),
    ).write(path)
    return path


@pytest.fixture(scope="session")
def raw_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """HBN R1 (`.set`, two subjects), R2 and R5 (`.bdf`, two and one), TUH (two patients)."""
    raw = tmp_path_factory.mktemp("raw")
    releases = {
        "R1": ["sub-AA", "sub-AB"],
        "R2_L100_bdf": ["sub-BA", "sub-BB"],
        "R5_L100_bdf": ["sub-EA"],
    }
    header = ("onset", "duration", "value", "event_code")
    resting = [
        header,
        (1.0, "n/a", "resting_start", 90),
        (2.0, "n/a", "instructed_toOpenEyes", 20),
        (12.0, "n/a", "instructed_toCloseEyes", 30),
    ]
    movie = [header, (0.0, "n/a", "9999", 9999), (1.203, "n/a", "video_start", 83)]
    for folder, subjects in releases.items():
        root = raw / "hbn" / folder
        release = folder.split("_")[0]
        for subject in subjects:
            write_hbn(root, subject, "contrastChangeDetection", seconds=30, events=contrast_events(4))
            write_hbn(root, subject, "RestingState", seconds=20, events=resting)
            write_hbn(root, subject, "DespicableMe", seconds=12, events=movie)
        write_participants(
            root,
            [
                (subject, release, "F", 9.5, 0.1, 0.2, 0.3, 0.4 + index)
                for index, subject in enumerate(subjects)
            ],
        )
    for patient in ("aaaaaaaa", "aaaaaaab"):
        write_tuh(raw / "tuh", patient, seconds=12)
    return raw


DATASETS = {"hbn": Dataset(reader="hbn", groups=2), "tuh": Dataset(reader="tuh", groups=2)}
GROUPS = ("hbn-0", "hbn-1", "tuh-0", "tuh-1")
TESTED = Splits(test=People(releases=("R5",)))
CROPPED = Windows(crops=("contrastChangeDetection",))


@pytest.fixture(scope="session")
def study(
    raw_archive: Path, labels: Mapping[str, AnyLabel], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a folder with inventory.parquet, shards/, index.parquet and index.json."""
    folder = tmp_path_factory.mktemp("study")
    build_inventory(DATASETS, raw=raw_archive, excluded_subjects=(), output=folder / "inventory.parquet")
    for group in GROUPS:
        build_shard(
            Preprocessing(),
            Quality(),
            inventory=folder / "inventory.parquet",
            group=group,
            output=folder / f"shards/{group}.npy",
            table=folder / f"shards/{group}.parquet",
        )
    _index_study(labels, folder)
    return folder


@pytest.fixture(scope="session")
def index_study(labels: Mapping[str, AnyLabel]) -> Callable[..., None]:
    """Index a study folder again with other settings."""
    return partial(_index_study, labels)


def _index_study(
    labels: Mapping[str, AnyLabel],
    folder: Path,
    windows: Windows = CROPPED,
    splits: Splits = TESTED,
    name: str = "index",
) -> None:
    build_index(
        windows,
        splits,
        labels,
        inventory=folder / "inventory.parquet",
        shards=[folder / f"shards/{group}.parquet" for group in GROUPS],
        max_failed_share={name: dataset.max_failed_share for name, dataset in DATASETS.items()},
        output=folder / f"{name}.parquet",
        summary=folder / f"{name}.json",
    )
