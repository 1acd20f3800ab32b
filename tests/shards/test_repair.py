"""Bad channels are masked or interpolated, in training releases alone, and the shard's table says which."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import edfio
import mne
import numpy as np
import pandas as pd
import pytest

from cerebro.config import Dataset, Preprocessing, Quality
from cerebro.recordings.inventory import build_inventory
from cerebro.recordings.montages import positions
from cerebro.shards.build import build_shard
from cerebro.shards.repair import repair
from cerebro.shards.store import open_shard, read_table, read_window

NET = [*(f"E{number}" for number in range(1, 129)), "Cz"]


def smooth(names: list[str], n_times: int = 500) -> np.ndarray:
    """A field that varies slowly over the head, µV: what interpolation can restore."""
    places = positions(names).astype(float)
    sources = np.random.default_rng(0).standard_normal((4, n_times)) * 20
    return (np.column_stack([places, places[:, :1] * places[:, 1:2]]) @ sources).astype(np.float32)


def test_masked_channels_are_zero_and_no_other_changes() -> None:
    signal = smooth(NET)
    repaired, done = repair(signal, names=NET, bad=["E5", "E70"], settings=Quality())
    assert done == "mask"
    assert (repaired[[4, 69]] == 0).all()
    others = np.delete(np.arange(129), [4, 69])
    np.testing.assert_array_equal(repaired[others], signal[others])
    assert signal[4].any()


@pytest.mark.parametrize("names", [NET, ["Fp1", "Fp2", "C3", "C4", "Cz", "Pz", "O1", "O2", "F3", "F4", "Fz"]])
def test_interpolated_channels_are_those_of_mne_and_near_the_true_ones(names: list[str]) -> None:
    signal = smooth(names)
    broken = signal.copy()
    broken[2] = 500
    repaired, done = repair(broken, names=names, bad=[names[2]], settings=Quality(bad_channels="interpolate"))
    assert done == "interpolate"
    info = mne.create_info(names, 100.0, "eeg")
    raw = mne.io.RawArray(broken.astype(float), info, verbose="error")
    places = dict(zip(names, 0.095 * positions(names).astype(float), strict=True))
    raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"))
    raw.info["bads"] = [names[2]]
    raw.interpolate_bads(origin=(0, 0, 0), verbose="error")
    np.testing.assert_allclose(repaired, raw.get_data(), atol=1e-3)
    assert np.corrcoef(repaired[2], signal[2])[0, 1] > (0.99 if names is NET else 0.8)


def test_too_many_bad_channels_are_masked_not_guessed() -> None:
    settings = Quality(bad_channels="interpolate", max_interpolated=0.25)
    signal = smooth(NET)
    for count, expected in ((32, "interpolate"), (33, "mask")):
        repaired, done = repair(signal, names=NET, bad=NET[:count], settings=settings)
        assert done == expected
        assert bool(repaired[:count].any()) == (expected == "interpolate")


def write_release(root: Path, signal: np.ndarray) -> None:
    path = root / "sub-A/eeg/sub-A_task-RestingState_eeg.bdf"
    path.parent.mkdir(parents=True)
    channels = [
        edfio.BdfSignal(row, 100, label=name, physical_dimension="uV", physical_range=(-4e3, 4e3))
        for name, row in zip(NET, signal, strict=True)
    ]
    edfio.Bdf(channels).write(path)
    release = root.name.split("_")[0]
    (root / "participants.tsv").write_text(f"participant_id\trelease_number\nsub-A\t{release}\n")


@pytest.fixture
def shard_of(tmp_path: Path) -> Callable[..., tuple[np.ndarray, dict[str, Any]]]:
    """Signals (n_chans, n_times) and table row of a recording of a release, in µV."""

    def build(signal: np.ndarray, release: str, quality: Quality) -> tuple[np.ndarray, dict[str, Any]]:
        root = tmp_path / f"{release}_L100_bdf"
        write_release(root, signal)
        inventory = tmp_path / "inventory.parquet"
        build_inventory(
            {"hbn": Dataset(reader="hbn", roots=(root,))}, raw=None, excluded_subjects=(), output=inventory
        )
        build_shard(
            Preprocessing(),
            quality,
            test_releases=("R5",),
            inventory=inventory,
            group="hbn-0",
            output=tmp_path / "hbn-0.npy",
            table=tmp_path / "hbn-0.parquet",
        )
        (row,) = read_table(tmp_path / "hbn-0.parquet").recordings.to_dict(orient="records")
        return read_window(open_shard(tmp_path / "hbn-0.npy"), 0, row["length"]), row

    return build


@pytest.mark.parametrize(
    ("release", "choice", "done"),
    [("R1", "mask", "mask"), ("R1", "interpolate", "interpolate"), ("R5", "interpolate", "none")],
)
def test_bad_channels_are_never_silently_kept_and_test_releases_stay_as_recorded(
    shard_of: Callable[..., tuple[np.ndarray, dict[str, Any]]], release: str, choice: Any, done: str
) -> None:
    signal = smooth(NET, 3000) + np.random.default_rng(1).standard_normal((129, 3000)).astype(np.float32)
    signal -= signal[-1]
    signal[9] = 0
    signal[49] = 300 * np.random.default_rng(2).standard_normal(3000)
    stored, row = shard_of(signal, release, Quality(bad_channels=choice))
    assert json.loads(row["bad_channels"]) == {"E10": "flat", "E50": "noisy"}
    assert row["repair"] == done
    assert (row["flat_channels"], row["noisy_channels"]) == (pytest.approx(1 / 129), pytest.approx(1 / 129))
    good = np.delete(np.arange(129), [9, 49])
    np.testing.assert_allclose(stored[good], signal[good], atol=0.051)
    if done == "none":
        np.testing.assert_allclose(stored[49], signal[49], atol=0.051)
    else:
        assert bool(stored[[9, 49]].any()) == (done == "interpolate")
        assert np.abs(stored[49]).max() < 200
    assert pd.notna(row["amplitude"])
