"""The same EEG under two names is found, whatever file holds it, and nobody is taken for another."""

from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pytest

from cerebro.config import Dataset, Preprocessing, Quality
from cerebro.recordings.inventory import build_inventory
from cerebro.shards.build import build_shard
from cerebro.shards.repeats import repeated

NAMES = ("Fp1", "Fp2", "C3", "C4", "O1", "O2")
SFREQ = 100


def brain(seed: int, *, seconds: float = 40) -> np.ndarray:
    """EEG-like noise in µV whose amplitude waxes and wanes, shape (channels, times)."""
    rng = np.random.default_rng(seed)
    n_times = int(seconds * SFREQ)
    mixed = rng.standard_normal((len(NAMES), 4)) @ rng.standard_normal((4, n_times))
    slow = np.repeat(np.exp(0.3 * rng.standard_normal(n_times // 200 + 1)), 200)[:n_times]
    return 12 * mixed * slow + rng.standard_normal((len(NAMES), n_times))


def write(path: Path, signal: np.ndarray, *, names: tuple[str, ...] = NAMES, suffix: str = "") -> None:
    """Write BDF of 24 bits or EDF of 16, by the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, writer = (edfio.BdfSignal, edfio.Bdf) if path.suffix == ".bdf" else (edfio.EdfSignal, edfio.Edf)
    signals = [
        kind(row, SFREQ, label=f"{name}{suffix}", physical_dimension="uV", physical_range=(-3000, 3000))
        for name, row in zip(names, signal, strict=True)
    ]
    writer(signals).write(path)


def found(archive: Path) -> set[frozenset[str]]:
    """Pairs of people with the same signals in an archive of files."""
    dataset = {"mine": Dataset(reader="files", roots=(archive,), max_failed_share=0)}
    inventory = archive.with_name("inventory.parquet")
    build_inventory(dataset, raw=None, excluded_subjects=(), output=inventory)
    shard = archive.with_name("shards") / "mine-0.npy"
    shard.parent.mkdir()
    table = shard.with_suffix(".parquet")
    settings = Preprocessing(), Quality()
    build_shard(*settings, inventory=inventory, group="mine-0", output=shard, table=table)
    recordings = pd.read_parquet(table).assign(shard="mine-0")
    recordings["person"] = recordings["subject"]
    pairs = repeated(recordings, shard.parent)
    people = recordings["person"].to_numpy()
    return {frozenset(people[[first, second]]) for first, second in pairs.to_numpy()}


@pytest.mark.parametrize(
    ("suffix", "order", "header"),
    [(".bdf", slice(None), ""), (".edf", slice(None), ""), (".edf", slice(None, None, -1), "-REF")],
    ids=["copied", "another format", "another format, order and header"],
)
def test_copied_signals_are_found_under_another_name(
    tmp_path: Path, suffix: str, order: slice, header: str
) -> None:
    archive = tmp_path / "archive"
    for seed, name in enumerate(("ann", "bob", "cleo", "dan")):
        write(archive / name / f"{name}_rest.bdf", brain(seed))
    copy = archive / "eve" / f"eve_rest{suffix}"
    write(copy, brain(1)[order], names=NAMES[order], suffix=header)
    assert found(archive) == {frozenset({"bob", "eve"})}


def test_a_padded_copy_is_found_and_two_recordings_of_one_person_are_not(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    write(archive / "ann" / "ann_one.bdf", brain(0))
    write(archive / "ann" / "ann_two.bdf", brain(0))
    write(archive / "bob" / "bob_one.bdf", brain(1, seconds=40))
    write(archive / "cleo" / "cleo_one.edf", np.pad(brain(1, seconds=40), ((0, 0), (0, 100))))
    assert found(archive) == {frozenset({"bob", "cleo"})}


def test_steady_noise_of_equal_loudness_is_no_copy(tmp_path: Path) -> None:
    """Fingerprints of such signals agree; only the signals themselves tell them apart."""
    archive = tmp_path / "archive"
    for seed, name in enumerate(("ann", "bob", "cleo")):
        noise = np.random.default_rng(seed).standard_normal((len(NAMES), 40 * SFREQ))
        mixed = np.random.default_rng(9).standard_normal((len(NAMES), len(NAMES)))
        write(archive / name / f"{name}_rest.bdf", 10 * mixed @ noise)
    assert found(archive) == set()
