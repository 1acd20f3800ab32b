"""A study of synthetic shards, small enough to train on within a second, and real files if at hand."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from pydantic import TypeAdapter

from cerebro.config import AnyLabel
from cerebro.shards.store import ShardWriter, quantise, write_table

LENGTH, PER_SUBJECT = 200, 12
CHALLENGE = Path(__file__).parents[1] / "config" / "challenge.yaml"
OWN_NAMES = (
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "P3",
    "Pz",
    "P4",
    "O1",
    "O2",
)
OWN_SFREQ, OWN_SECONDS = 128, 40
"""Rate in Hz of that dataset, and how long the eyes are closed, then open."""
LABELS = TypeAdapter(dict[str, AnyLabel]).validate_python(yaml.safe_load(CHALLENGE.read_text())["labels"])
"""The labels of HBN and TUH, as the layer `challenge` declares them."""
HBN = ("E9", "E11", "E22", "E24", "E36", "E45", "E52", "E62", "E70", "E92", "E104", "E124", "Cz")
TUH = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "Cz")
SUBJECTS = {"train": 4, "validation": 2, "test": 2}


FIRST = {"test_smoke.py": -2, "workflow": -1}
SLOW_FIXTURES = {"sidecars", "in_two_processes"}
SLOW_FOLDERS = {"simulation", "submission"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the workflow's tests first, those of the whole pipeline before all: they take longest.

    A test that reads a whole real archive or starts two processes is slow, and so is all that writes
    archives or packages and runs zips.
    """
    items.sort(key=lambda item: min(FIRST.get(item.path.name, 0), FIRST.get(item.path.parent.name, 0)))
    for item in items:
        slow = not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
        if slow or item.path.parent.name in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def in_two_processes() -> Callable[..., None]:
    """Runs a script as two processes at once, each with its rank and further arguments; both must succeed."""

    def run(script: str, *arguments: object) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        ranks = [
            subprocess.Popen(
                [sys.executable, "-c", script, str(rank), *map(str, arguments)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        for process in ranks:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors

    return run


@dataclass(frozen=True)
class Study:
    """Paths of a study and its index."""

    root: Path
    table: pd.DataFrame

    @property
    def index(self) -> Path:
        return self.root / "windows" / "index.parquet"

    @property
    def shards(self) -> Path:
        return self.root / "shards"


def _write_shard(
    folder: Path, name: str, channels: tuple[str, ...], signal: np.ndarray, recordings: list[str]
) -> None:
    with ShardWriter(folder / f"{name}.npy", n_chans=len(channels)) as writer:
        writer.append(quantise(signal)[0])
    length = len(signal) // len(recordings)
    offsets = [i * length for i in range(len(recordings))]
    columns = {"recording": recordings, "offset": offsets, "length": [length] * len(recordings)}
    write_table(folder / f"{name}.parquet", pa.table(columns), channels=channels, sfreq=100.0)


def _rows(dataset: str, subject: int, split: str, start: int, random: np.random.Generator) -> list[dict]:
    age = float(random.uniform(6, 20))
    labels = {"age": age, "sex": ("male", "female")[subject % 2]} | {
        name: float(random.normal()) if dataset == "hbn" else np.nan
        for name in ("p_factor", "attention", "internalizing", "externalizing")
    }
    rows = []
    for window in range(PER_SUBJECT):
        common = {
            "dataset": dataset,
            "release": ("R5" if split == "test" else "R1") if dataset == "hbn" else "",
            "subject": f"{dataset}-{subject}",
            "run": "",
            "recording": f"{dataset}-{subject}",
            "shard": f"{dataset}-0",
            "start": start + window * LENGTH,
            "length": LENGTH,
            "onset": 2.0 * window,
            "split": split,
            "stream": "",
            "moment": np.nan,
            "keep": True,
            "reason": "",
            "reaction_time": np.nan,
            **labels,
            "eyes": "",
            "task": "",
            "movie": "",
            "condition": "",
            "trial": "",
        }
        rows.append({"kind": "fixed", **common})
        if dataset == "hbn":
            movie = {"movie": "ThePresent", "stream": "ThePresent", "moment": 6.0 * window}
            rows.append({"kind": "movie", **common, **movie})
            reaction_time = float(random.uniform(1.0, 2.2))
            task = {"task": "contrastChangeDetection", "moment": 0.5}
            shown = f"{'right' if window % 2 else 'left'}/right"
            rows.append(
                {"kind": "reaction_time", **common, **task, "stream": "target"}
                | {"reaction_time": reaction_time}
            )
            rows.append({"kind": "trial", **common, **task, "stream": shown, "trial": shown})
            rows.append({"kind": "crop", **common})
            eyes = "open" if window % 2 else "closed"
            rows.append({"kind": "eyes", **common, "stream": eyes, "moment": 0.0, "eyes": eyes})
    return rows


@pytest.fixture(scope="session")
def labels() -> dict[str, AnyLabel]:
    """The labels of HBN and TUH, as the layer `challenge` declares them."""
    return LABELS


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two archives of noise with an alpha rhythm: eight HBN subjects, three TUH patients."""
    root = tmp_path_factory.mktemp("study")
    (root / "shards").mkdir()
    random = np.random.default_rng(0)
    rows: list[dict] = []
    for dataset, channels, plan in (
        ("hbn", HBN, SUBJECTS),
        ("tuh", TUH, {"train": 2, "validation": 1}),
    ):
        splits = [split for split, n in plan.items() for _ in range(n)]
        n_times = len(splits) * PER_SUBJECT * LENGTH
        signal = 15 * random.standard_normal((n_times, len(channels)))
        signal += 10 * np.sin(2 * np.pi * 10 * np.arange(n_times) / 100)[:, None]
        signal[:, -1] = 0 if dataset == "hbn" else signal[:, -1]
        recordings = [f"{dataset}-{subject}" for subject in range(len(splits))]
        _write_shard(root / "shards", f"{dataset}-0", channels, signal, recordings)
        for subject, split in enumerate(splits):
            rows += _rows(dataset, subject, split, subject * PER_SUBJECT * LENGTH, random)
    table = pd.DataFrame(rows)
    table.insert(0, "window", np.arange(len(table)))
    (root / "windows").mkdir()
    table.to_parquet(root / "windows" / "index.parquet")
    return Study(root, table)


@pytest.fixture(scope="session")
def sidecars() -> Path:
    """Real sidecars of HBN release 1: tables and JSON without signals."""
    return _beside_the_repository("hbn_r1_sidecars")


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """Real recordings: EEGLAB's sample file."""
    return _beside_the_repository("real_eeg")


@pytest.fixture(scope="session")
def write_own_study() -> Callable[..., Path]:
    """Writes a BIDS dataset that is neither HBN nor TUH: people at rest, and clicking."""
    return _write_own_study


def _beside_the_repository(name: str) -> Path:
    """A folder of files whose licence keeps them out of the repository; without it the test is skipped."""
    folder = Path(__file__).parents[2] / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"needs real files in ../shared/{name}")
    return folder


def _write_own_study(root: Path, *, people: int = 12, seed: int = 0) -> Path:
    """Write a BIDS tree of one recording a person: EDF, events, participants.

    Alpha over the back of the head is stronger with closed eyes; age and group are drawn at random, and a
    reaction time stands at the clicks of a second task.
    """
    random = np.random.default_rng(seed)
    root.mkdir(parents=True)
    table = ["participant_id\tage\tgroup\tcode"]
    for number in range(1, people + 1):
        name = f"sub-{number:02d}"
        group = ("control", "epilepsy")[number % 2]
        table.append(f"{name}\t{random.integers(18, 70)}\t{group}\tx{number}")
        folder = root / name / "eeg"
        folder.mkdir(parents=True)
        _write_edf(folder / f"{name}_task-rest_eeg.edf", random)
        (folder / f"{name}_task-rest_events.tsv").write_text(
            "onset\tduration\ttrial_type\n"
            f"0\t{OWN_SECONDS}\teyes_closed\n"
            f"{OWN_SECONDS}\t{OWN_SECONDS}\teyes_open\n"
        )
        _write_edf(folder / f"{name}_task-clicks_eeg.edf", random)
        clicks = [
            f"{2 + 3 * click}\t0\tclick_{('left', 'right')[click % 2]}\t{random.uniform(0.3, 0.9):.3f}"
            for click in range(20)
        ]
        (folder / f"{name}_task-clicks_events.tsv").write_text(
            "onset\tduration\ttrial_type\tresponse_time\n" + "\n".join(clicks) + "\n"
        )
    (root / "participants.tsv").write_text("\n".join(table) + "\n")
    (root / "dataset_description.json").write_text('{"Name": "Rest", "BIDSVersion": "1.9.0"}\n')
    return root


def _write_edf(path: Path, random: np.random.Generator) -> None:
    n_times = 2 * OWN_SECONDS * OWN_SFREQ
    time = np.arange(n_times) / OWN_SFREQ
    brain = random.standard_normal((len(OWN_NAMES), 6)) @ random.standard_normal((6, n_times)) * 6
    closed = np.where(time < OWN_SECONDS, 1.0, 0.3)
    alpha = 15 * closed * np.sin(2 * np.pi * random.uniform(9, 11) * time)
    brain[-4:] += alpha * random.uniform(0.6, 1.2)
    signals = [
        edfio.EdfSignal(row, OWN_SFREQ, label=name, physical_dimension="uV", physical_range=(-500, 500))
        for name, row in zip(OWN_NAMES, np.clip(brain, -499, 499), strict=True)
    ]
    edfio.Edf(signals).write(path)
