"""Bad channels are named and stored as recorded, the same for fit and score: models decide by the window."""

import json
from collections.abc import Mapping
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pytest
import torch

from cerebro.config import AnyLabel, Dataset, Preprocessing, Quality, Splits, Windows
from cerebro.data.windows import WindowDataset
from cerebro.models.front_end import FrontEnd
from cerebro.recordings.inventory import build_inventory
from cerebro.recordings.montages import positions
from cerebro.scoring.windows import CHANNELS, VOLTS_PER_MICROVOLT, scored_windows
from cerebro.shards.build import build_shard
from cerebro.shards.store import open_shard, read_table, read_window
from cerebro.shards.windows import build_index


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    """Half a minute of the net against Cz, µV: one electrode dead, one loose, one that loses contact."""
    places = positions(CHANNELS).astype(float)
    sources = np.random.default_rng(0).standard_normal((4, 3000)) * 20
    field = np.column_stack([places, places[:, :1] * places[:, 1:2]]) @ sources
    signal = field + np.random.default_rng(1).standard_normal(field.shape)
    signal -= signal[-1]
    signal[9] = 0
    signal[49] = 300 * np.random.default_rng(2).standard_normal(3000)
    signal[70, 1000:2000] = 0
    return signal


def write_release(root: Path, signal: np.ndarray) -> None:
    """One contrast change recording with a trial every 6 s."""
    path = root / "sub-A/eeg/sub-A_task-contrastChangeDetection_run-1_eeg.bdf"
    path.parent.mkdir(parents=True)
    channels = [
        edfio.BdfSignal(row, 100, label=name, physical_dimension="uV", physical_range=(-4e3, 4e3))
        for name, row in zip(CHANNELS, signal, strict=True)
    ]
    edfio.Bdf(channels).write(path)
    events = ["onset\tduration\tvalue\tevent_code\tfeedback"]
    for start in range(1, 29, 6):
        events.append(f"{start}\tn/a\tcontrastTrial_start\t5\tn/a")
        events.append(f"{start + 2}\tn/a\tleft_target\t8\tn/a")
        events.append(f"{start + 3.2}\tn/a\tleft_buttonPress\t12\tsmiley_face")
    Path(str(path).replace("_eeg.bdf", "_events.tsv")).write_text("\n".join(events) + "\n")
    row = f"sub-A\t{root.name.split('_')[0]}\t0.4\n"
    (root / "participants.tsv").write_text(f"participant_id\trelease_number\texternalizing\n{row}")


def build(folder: Path, signal: np.ndarray, release: str, labels: Mapping[str, AnyLabel]) -> Path:
    """Shard and index of the recording as one of a release; returns the folder."""
    root = folder / f"{release}_L100_bdf"
    write_release(root, signal)
    datasets = {"hbn": Dataset(reader="hbn", roots=(root,))}
    build_inventory(datasets, raw=None, excluded_subjects=(), output=folder / "inventory.parquet")
    build_shard(
        Preprocessing(),
        Quality(),
        inventory=folder / "inventory.parquet",
        group="hbn-0",
        output=folder / "hbn-0.npy",
        table=folder / "hbn-0.parquet",
    )
    build_index(
        Windows(max_bad_channels=1, max_peak_to_peak=1e6, crops=("contrastChangeDetection",)),
        Splits(test=None),
        labels,
        inventory=folder / "inventory.parquet",
        shards=[folder / "hbn-0.parquet"],
        max_failed_share={"hbn": 0},
        output=folder / "index.parquet",
        summary=folder / "index.json",
    )
    return folder


def test_a_release_to_train_on_and_one_to_score_on_store_the_same_of_the_same_recording(
    recording: np.ndarray, tmp_path: Path, labels: Mapping[str, AnyLabel]
) -> None:
    folders = {release: tmp_path / release for release in ("R1", "R5")}
    stored = {}
    for release, folder in folders.items():
        build(folder, recording, release, labels)
        (row,) = read_table(folder / "hbn-0.parquet").recordings.to_dict(orient="records")
        assert json.loads(row["bad_channels"]) == {"E10": "flat", "E50": "noisy", "E71": "dropouts"}
        assert (row["flat_channels"], row["noisy_channels"]) == (
            pytest.approx(1 / 129),
            pytest.approx(1 / 129),
        )
        assert pd.notna(row["amplitude"])
        stored[release] = read_window(open_shard(folder / "hbn-0.npy"), 0, row["length"])
    np.testing.assert_array_equal(stored["R1"], stored["R5"])
    np.testing.assert_allclose(stored["R1"], recording, atol=0.051)


@pytest.mark.parametrize("release", ["R1", "R5"])
def test_a_model_leaves_out_the_same_channels_of_a_window_in_training_and_when_it_is_scored(
    recording: np.ndarray, tmp_path: Path, labels: Mapping[str, AnyLabel], release: str
) -> None:
    """Training reads shards; the scorer hands over volts of bare windows, and knows no bad channels."""
    folder = build(tmp_path, recording, release, labels)
    index = pd.read_parquet(folder / "index.parquet")
    rows = index[index["kind"].isin(["reaction_time", "crop"])].reset_index(drop=True)
    assert len(rows) > 10
    assert rows["keep"].all()
    batch = WindowDataset(rows, folder)[range(len(rows))]
    trained, used = FrontEnd()(batch["signal"], batch["positions"])
    volts = np.concatenate(list(scored_windows(rows, shards=folder)))
    net = torch.from_numpy(positions(CHANNELS)).expand(len(rows), -1, -1)
    scored, present = FrontEnd()(torch.from_numpy(volts / VOLTS_PER_MICROVOLT), net)
    order = [read_table(folder / "hbn-0.parquet").channels.index(name) for name in CHANNELS]
    np.testing.assert_array_equal(used[:, order], present)
    np.testing.assert_allclose(trained[:, order], scored, atol=1e-4)
    dead, loose, dropping = (CHANNELS.index(name) for name in ("E10", "E50", "E71"))
    assert not present[:, [dead, loose]].any()
    # Where its electrode has contact, a channel that loses it elsewhere takes part.
    within = ((rows["start"] >= 1000) & (rows["start"] + 200 <= 2000)).to_numpy()
    apart = ((rows["start"] + 200 <= 1000) | (rows["start"] >= 2000)).to_numpy()
    assert not present[within, dropping].any()
    assert present[apart, dropping].all()
    assert within.any()
    assert apart.any()
