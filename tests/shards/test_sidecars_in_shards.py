"""Mains and bad channels that sidecars state reach the shards' tables, and change no signal."""

import json
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pytest

from cerebro.config import Dataset, Preprocessing, Quality
from cerebro.recordings.inventory import build_inventory
from cerebro.shards.build import build_shard
from cerebro.shards.store import open_shard, read_table

pytestmark = pytest.mark.filterwarnings("ignore:.*participants.tsv. nothing is known:UserWarning")
NAMES = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "O1", "Oz", "O2")
SFREQ, SECONDS = 250, 30


def write_recording(root: Path, subject: str, *, hum_hz: float) -> None:
    """Noise that all channels share, with hum of 200 µV in Oz."""
    rng = np.random.default_rng(0)
    signal = rng.normal(0, 20, SFREQ * SECONDS) + rng.normal(0, 5, (len(NAMES), SFREQ * SECONDS))
    signal[NAMES.index("Oz")] += 200 * np.sin(2 * np.pi * hum_hz * np.arange(SFREQ * SECONDS) / SFREQ)
    path = root / f"{subject}/eeg/{subject}_task-rest_eeg.edf"
    path.parent.mkdir(parents=True)
    uv = {"physical_dimension": "uV", "physical_range": (-1000, 1000)}
    edfio.Edf(
        [edfio.EdfSignal(row, SFREQ, label=name, **uv) for name, row in zip(NAMES, signal, strict=True)]
    ).write(path)


def shard(root: Path, folder: Path, **settings: object) -> tuple[np.ndarray, pd.DataFrame]:
    folder.mkdir()
    build_inventory(
        {"d": Dataset(reader="bids", roots=(root,), **settings)},
        raw=None,
        excluded_subjects=(),
        output=folder / "inventory.parquet",
    )
    build_shard(
        Preprocessing(),
        Quality(mains_hz=60),
        inventory=folder / "inventory.parquet",
        group="d-0",
        output=folder / "d.npy",
        table=folder / "d.parquet",
    )
    return np.array(open_shard(folder / "d.npy")), read_table(folder / "d.parquet").recordings


def bad(table: pd.DataFrame) -> list[dict[str, str]]:
    return [json.loads(text) for text in table["bad_channels"]]


def test_hum_is_sought_where_the_recording_s_mains_are(tmp_path: Path) -> None:
    root = tmp_path / "d"
    for subject in ("sub-1", "sub-2"):
        write_recording(root, subject, hum_hz=60)
    (root / "sub-2/sub-2_eeg.json").write_text('{"PowerLineFrequency": 50}')
    signals, table = shard(root, tmp_path / "said")
    assert bad(table) == [{"Oz": "line_noise"}, {}]  # 60 Hz by quality.mains_hz, 50 Hz by the sidecar
    (root / "eeg.json").write_text('{"PowerLineFrequency": 50}')
    same, table = shard(root, tmp_path / "inherited")
    assert bad(table) == [{}, {}]
    _, table = shard(root, tmp_path / "stated", mains_hz=60)
    assert bad(table) == [{"Oz": "line_noise"}, {"Oz": "line_noise"}]
    np.testing.assert_array_equal(signals, same)


def test_channels_that_were_marked_as_bad_are_named_in_the_shard(tmp_path: Path) -> None:
    root = tmp_path / "d"
    write_recording(root, "sub-1", hum_hz=60)
    before, _ = shard(root, tmp_path / "before")
    rows = ["name\ttype\tstatus", "Fp1\tEEG\tbad", "Oz\tEEG\tbad", "Cz\tEEG\tgood"]
    (root / "task-rest_channels.tsv").write_text("\n".join(rows))
    after, table = shard(root, tmp_path / "after")
    assert bad(table) == [{"Fp1": "marked", "Oz": "line_noise"}]
    np.testing.assert_array_equal(after, before)
