import json
import shutil
from pathlib import Path

import edfio
import mne
import numpy as np
import pandas as pd
import pytest

from cerebro.config import Dataset, Preprocessing, Quality
from cerebro.errors import UserError
from cerebro.files import digest_file
from cerebro.recordings.inventory import build_inventory
from cerebro.recordings.montages import positions
from cerebro.shards.build import SCHEMA, build_shard
from cerebro.shards.store import open_shard, read_table, read_window


def shard_of(inventory: Path, group: str, folder: Path) -> tuple[np.ndarray, pd.DataFrame]:
    build_shard(
        Preprocessing(),
        Quality(),
        inventory=inventory,
        group=group,
        output=folder / f"{group}.npy",
        table=folder / f"{group}.parquet",
    )
    return open_shard(folder / f"{group}.npy"), read_table(folder / f"{group}.parquet").recordings


def test_a_challenge_copy_is_stored_sample_by_sample(study: Path) -> None:
    inventory = pd.read_parquet(study / "inventory.parquet").set_index("recording")
    table = read_table(study / "shards/hbn-0.parquet")
    signals = open_shard(study / "shards/hbn-0.npy")
    assert table.channels == (*(f"E{number}" for number in range(1, 129)), "Cz")
    np.testing.assert_array_equal(table.positions, positions(table.channels))
    copies = table.recordings[table.recordings["filtered"]]
    assert len(copies)
    for row in copies.itertuples():
        path = Path(inventory.loc[row.recording, "path"])
        expected = mne.io.read_raw_bdf(path, verbose="error").get_data() * 1e6
        window = read_window(signals, row.offset, row.length)
        np.testing.assert_allclose(window, expected, atol=0.0501)
        assert row.source_digest == digest_file(path)


def test_the_challenges_eeglab_copies_are_not_filtered_again(tmp_path: Path) -> None:
    """Its band-pass on top of the challenge's would change the signal up to tens of µV at the edges."""
    path = tmp_path / "raw/hbn/R2_L100/sub-A/eeg/sub-A_task-RestingState_eeg.set"
    path.parent.mkdir(parents=True)
    signal = np.random.default_rng(0).normal(0, 20, (3, 2000)) + 15 * np.sin(np.arange(2000) / 400)
    raw = mne.io.RawArray(signal / 1e6, mne.create_info(["E1", "E2", "Cz"], 100, "eeg"), verbose="error")
    mne.export.export_raw(path, raw, verbose="error")
    (tmp_path / "raw/hbn/R2_L100/participants.tsv").write_text("participant_id\trelease_number\nsub-A\tR2\n")
    inventory = tmp_path / "inventory.parquet"
    build_inventory(
        {"hbn": Dataset(reader="hbn")}, raw=tmp_path / "raw", excluded_subjects=(), output=inventory
    )
    signals, table = shard_of(inventory, "hbn-0", tmp_path)
    assert table["filtered"].all()
    np.testing.assert_allclose(read_window(signals, 0, 2000), signal, atol=0.0501)


def test_recordings_lie_side_by_side_and_fill_the_shard(study: Path) -> None:
    for group in ("hbn-0", "hbn-1", "tuh-0", "tuh-1"):
        table = read_table(study / f"shards/{group}.parquet").recordings
        assert list(table.columns) == SCHEMA.names
        assert (table["offset"] == table["length"].cumsum() - table["length"]).all()
        assert len(open_shard(study / f"shards/{group}.npy")) == table["length"].sum()


def test_every_usable_recording_of_the_inventory_is_in_the_shard_of_its_group(study: Path) -> None:
    inventory = pd.read_parquet(study / "inventory.parquet")
    for group, rows in inventory[inventory["status"] == "ok"].groupby("group"):
        table = read_table(study / f"shards/{group}.parquet").recordings
        assert set(table["recording"]) == set(rows["recording"])
        seconds = rows.set_index("recording")["duration"]
        np.testing.assert_allclose(table["length"] / 100, seconds[table["recording"]], atol=0.01)


def test_recordings_with_different_channels_share_their_union_and_absent_ones_are_zero(
    study: Path, raw_archive: Path, tmp_path: Path
) -> None:
    shutil.copytree(raw_archive / "tuh", tmp_path / "raw/tuh")
    path = tmp_path / "raw/tuh/edf/000/aaaaaaac/s001_2015/03_tcp_ar_a/aaaaaaac_s001_t000.edf"
    path.parent.mkdir(parents=True)
    signal = np.random.default_rng(0).normal(0, 20, 2560)
    edfio.Edf(
        [
            edfio.EdfSignal(signal, 256, label=label, physical_dimension="uV", physical_range=(-3e3, 3e3))
            for label in ("EEG O1-REF", "EEG CZ-REF")
        ]
    ).write(path)
    build_inventory(
        {"tuh": Dataset(reader="tuh")},
        raw=tmp_path / "raw",
        excluded_subjects=(),
        output=tmp_path / "inventory.parquet",
    )
    signals, table = shard_of(tmp_path / "inventory.parquet", "tuh-0", tmp_path)
    channels = read_table(tmp_path / "tuh-0.parquet").channels
    assert channels == ("Fp1", "Fp2", "T7", "Cz", "O1")
    for row in table.itertuples():
        present = np.abs(signals[row.offset : row.offset + row.length]).max(axis=0) > 0
        assert {name for name, live in zip(channels, present, strict=True) if live} == set(
            json.loads(row.channels)
        )


def test_a_recording_that_fails_to_load_costs_one_recording(raw_archive: Path, tmp_path: Path) -> None:
    shutil.copytree(raw_archive, tmp_path / "raw")
    datasets = {"hbn": Dataset(reader="hbn", groups=1)}
    inventory = tmp_path / "inventory.parquet"
    build_inventory(datasets, raw=tmp_path / "raw", excluded_subjects=(), output=inventory)
    rows = pd.read_parquet(inventory)
    # Whole when the inventory was made, gone or emptied when the shard is.
    lost, emptied = Path(rows["path"][0]), Path(rows["path"][5])
    emptied.write_bytes(b"")
    aside = lost.rename(tmp_path / lost.name)
    with pytest.raises(UserError, match=rf"{lost.name} can't be read .*running again may help"):
        shard_of(inventory, "hbn-0", tmp_path)
    aside.rename(lost)
    signals, table = shard_of(inventory, "hbn-0", tmp_path)
    table = table.set_index("recording")
    bad = table[table["status"] == "quarantined"]
    assert set(bad.index) == {rows["recording"][5]}
    assert (bad["length"] == 0).all()
    assert (bad["reason"] != "").all()
    assert len(signals) == table["length"].sum() > 0


def test_a_group_without_recordings_is_an_empty_shard(study: Path, tmp_path: Path) -> None:
    signals, table = shard_of(study / "inventory.parquet", "hbn-99", tmp_path)
    assert signals.shape == (0, 0)
    assert len(table) == 0
    assert list(table.columns) == SCHEMA.names


def test_building_again_gives_the_same_bytes(study: Path, tmp_path: Path) -> None:
    shard_of(study / "inventory.parquet", "tuh-0", tmp_path)
    for suffix in ("npy", "parquet"):
        assert digest_file(tmp_path / f"tuh-0.{suffix}") == digest_file(study / f"shards/tuh-0.{suffix}")
