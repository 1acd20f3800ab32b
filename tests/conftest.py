"""A study of synthetic shards, small enough to train on within a second, and real files if at hand."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cerebro.shards.store import ShardWriter, quantise, write_table

LENGTH, PER_SUBJECT = 200, 12
HBN = ("E9", "E11", "E22", "E24", "E36", "E45", "E52", "E62", "E70", "E92", "E104", "E124", "Cz")
TUH = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "Cz")
SUBJECTS = {"train": 4, "validation": 2, "test": 2}


SMOKE = ("test_smoke.py", "test_smoke_numbers.py")


SLOW_FIXTURES = {"sidecars", "in_two_processes"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the workflow's tests first, those of the whole pipeline before all: they take longest.

    Tests of one file share what they build, as do those of the smoke study, so they go to one process. What
    reads a whole real archive or starts two processes is slow.
    """
    place = {**dict.fromkeys(SMOKE, -2), "workflow": -1}
    items.sort(key=lambda item: min(place.get(item.path.name, 0), place.get(item.path.parent.name, 0)))
    for item in items:
        group = "smoke" if item.path.name in SMOKE else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
        if not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
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
    labels = {"age": age, "sex": float(subject % 2)} | {
        name: float(random.normal()) if dataset == "hbn" else np.nan
        for name in ("p_factor", "attention", "internalizing", "externalizing")
    }
    rows = []
    for window in range(PER_SUBJECT):
        common = {
            "dataset": dataset,
            "release": ("R5" if split == "test" else "R1") if dataset == "hbn" else "",
            "subject": f"{dataset}-{subject}",
            "recording": f"{dataset}-{subject}",
            "shard": f"{dataset}-0",
            "start": start + window * LENGTH,
            "length": LENGTH,
            "onset": 2.0 * window,
            "split": split,
            "movie": "",
            "movie_time": np.nan,
            "eyes": "",
            "trial_time": np.nan,
            "reaction_time": np.nan,
            "side": "",
            "correct": np.nan,
            "condition": "",
            "task": "",
            "keep": True,
            "reason": "",
            **labels,
        }
        rows.append({"kind": "fixed", **common})
        if dataset == "hbn":
            movie = {"movie": "ThePresent", "movie_time": 6.0 * window}
            rows.append({"kind": "movie", **common, **movie})
            trial = {"task": "contrastChangeDetection", "trial_time": 0.5, "correct": 1.0}
            trial |= {"side": "right" if window % 2 else "left"}
            reaction_time = float(random.uniform(1.0, 2.2))
            rows.append({"kind": "trial", **common, **trial, "reaction_time": reaction_time})
            rows.append({"kind": "crop", **common})
            rows.append({"kind": "eyes", **common, "eyes": "open" if window % 2 else "closed"})
    return rows


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


def _beside_the_repository(name: str) -> Path:
    """A folder of files whose licence keeps them out of the repository; without it the test is skipped."""
    folder = Path(__file__).parents[2] / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"needs real files in ../shared/{name}")
    return folder
