"""Recordings that are neither HBN's nor TUH's, from raw files to shards and windows by a configuration."""

import datetime
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mne
import mne_bids
import numpy as np
import pandas as pd
import pytest
import yaml

from cerebro.config import Preprocessing
from cerebro.recordings.signals import open_raw
from cerebro.shards.preprocess import preprocess
from cerebro.shards.store import open_shard, read_table, read_window

PAGE = Path(__file__).parents[2] / "docs" / "datasets.md"
NAMES = [
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
]


def write_bids(root: Path, subject: str, *, seconds: int = 24) -> None:
    """One resting recording, as mne-bids writes it: an EOG channel, age, sex, eyes open and closed."""
    random = np.random.default_rng(int(subject))
    shared = random.standard_normal((len(NAMES), 6)) @ random.standard_normal((6, 200 * seconds)) * 8e-6
    eyes = 1e-4 * random.standard_normal((1, 200 * seconds))
    info = mne.create_info([*NAMES, "HEOG"], 200, ["eeg"] * len(NAMES) + ["eog"])
    raw = mne.io.RawArray(np.concatenate([shared, eyes]), info, verbose="error")
    raw.set_meas_date(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    raw.info["line_freq"] = 50
    raw.info["subject_info"] = {"sex": 2, "birthday": datetime.date(2010, 1, 1)}
    raw.set_annotations(
        mne.Annotations([1, 12], [10, 10], ["eyes open", "eyes closed"], orig_time=raw.info["meas_date"])
    )
    path = mne_bids.BIDSPath(subject=subject, task="rest", datatype="eeg", root=root)
    mne_bids.write_raw_bids(raw, path, format="EDF", allow_preload=True, verbose="error")


@pytest.mark.filterwarnings("ignore")
def test_the_dataset_on_the_page_goes_from_raw_files_to_windows(empty: Any) -> None:
    page = PAGE.read_text()
    section = page[page.index("## A dataset of your own") :]
    (module,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    overlay, *_ = re.findall(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
    assert "snakemake --cores 2 results/resting/windows/index.parquet" in section
    (empty.folder / "resting_study.py").write_text(module)
    for subject in ("01", "02", "03"):
        write_bids(empty.folder / "data/resting", subject)
    (empty.folder / "resting.yaml").write_text(overlay)
    command = [Path(sys.executable).with_name("cerebro"), "check", "resting.yaml"]
    checked = subprocess.run(command, cwd=empty.folder, env=empty.environment, capture_output=True, text=True)
    print(checked.stdout, checked.stderr)
    assert re.search(r"resting +data/resting +3 +3 ", checked.stdout)
    done = empty.snakemake(
        "results/resting/windows/index.parquet", overlay=yaml.safe_load(overlay), over=None
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = empty.folder / "results/resting"
    inventory = pd.read_parquet(results / "inventory/recordings.parquet")
    assert list(inventory["recording"]) == [f"resting/sub-0{n}/rest" for n in (1, 2, 3)]
    assert set(inventory["status"]) == {"ok"}
    assert {json.loads(person)["age"] for person in inventory["person"]} == {"10"}
    table = read_table(results / "shards/resting-0.parquet")
    assert sorted(table.channels) == sorted(NAMES)
    index = pd.read_parquet(results / "windows/index.parquet")
    assert index.groupby("kind").size().to_dict() == {"eyes": 24, "fixed": 36}
    eyes = index[(index["kind"] == "eyes") & (index["subject"] == "sub-01")]
    assert list(eyes["eyes"]) == ["open"] * 4 + ["closed"] * 4  # blocks of 10 s, without their first
    np.testing.assert_allclose(eyes["onset"], [2, 4, 6, 8, 13, 15, 17, 19])
    assert index.groupby("split")["subject"].nunique().to_dict() == {"train": 2, "validation": 1}


def test_a_real_recording_goes_from_its_raw_file_to_windows_by_a_configuration_alone(
    empty: Any, real_recordings: Path
) -> None:
    folder = empty.folder / "recordings"
    folder.mkdir()
    for path in real_recordings.glob("eeglab_data.*"):
        shutil.copy(path, folder)
    overlay = {
        "name": "real",
        "datasets": {"sample": {"reader": "files", "roots": ["recordings"]}},
        "splits": {"test": None},
        "phases": {"pretrain": {"kind": "pretrain", "target": "signal", "mix": {"sample": 1.0}}},
    }
    done = empty.snakemake("results/real/windows/audit.json", overlay=overlay, over=None)
    assert done.returncode == 0, done.stdout + done.stderr
    results = empty.folder / "results/real"
    (row,) = pd.read_parquet(results / "inventory/recordings.parquet").to_dict(orient="records")
    assert (row["subject"], row["status"], row["sfreq"], row["n_chans"]) == ("eeglab", "ok", 128.0, 30)
    index = pd.read_parquet(results / "windows/index.parquet")
    assert set(index["kind"]) == {"fixed"}
    assert len(index) == 119  # 238 s
    assert index["keep"].all()
    table = read_table(results / "shards/sample-0.parquet")
    (stored,) = table.recordings.to_dict(orient="records")
    assert json.loads(stored["bad_channels"]) == {}
    shard = open_shard(results / "shards/sample-0.npy")
    raw = open_raw(folder / "eeglab_data.set")
    signal = preprocess(raw, Preprocessing(), filtered=False)
    window = index.iloc[60]
    columns = [table.channels.index(name) for name in raw.ch_names]
    np.testing.assert_allclose(
        read_window(shard, int(window["start"]), 200)[columns],
        signal[:, int(window["onset"] * 100) :][:, :200],
        atol=0.051,
    )
    assert json.loads((results / "windows/audit.json").read_text())["recordings"] == 1
