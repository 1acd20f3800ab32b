"""What a model sees of one file is the same in training (raw file, shard, window) and when it is scored."""

from pathlib import Path

import edfio
import mne
import numpy as np
import pytest
import torch

from cerebro.config import Dataset, Preprocessing, Quality
from cerebro.models.front_end import REFERENCES, SCALE_UV, FrontEnd
from cerebro.recordings.inventory import build_inventory
from cerebro.recordings.montages import positions
from cerebro.scoring.windows import CHANNELS
from cerebro.shards.build import build_shard
from cerebro.shards.store import open_shard, read_table, read_window
from cerebro.simulation import timeline
from cerebro.simulation.head import NET, electrode_directions
from cerebro.simulation.recording import Amplifier, record
from cerebro.simulation.subjects import child_name, draw_child, subject_rng

STARTS = (300, 1234, 4000)
TOLERANCE_UV = 0.2


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    """A minute at 500 Hz of the HBN net against Cz: one electrode dead, one loose throughout."""
    subject = draw_child(0, child_name("R1", 0))
    course = timeline.resting_state(cycles=1, rng=subject_rng(0, subject.name, "RestingState", "events"))
    amplifier = Amplifier(
        directions=electrode_directions(NET),
        reference=("Cz",),
        sfreq=500,
        band_limited=False,
        faulty_channels=0,
    )
    signal = record(subject, course, amplifier=amplifier, name="RestingState", seed=0)
    signal[17] = 0
    signal[60] = 2000 * np.random.default_rng(0).standard_normal(signal.shape[1])
    return signal


def training(signal: np.ndarray, folder: Path, reference: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """From OpenNeuro's `.set` through the steps of the workflow: referenced windows, by channel."""
    eeg = folder / "R1/sub-A/eeg"
    eeg.mkdir(parents=True)
    raw = mne.io.RawArray(signal / 1e6, mne.create_info(list(CHANNELS), 500, "eeg"), verbose="error")
    mne.export.export_raw(eeg / "sub-A_task-RestingState_eeg.set", raw, verbose="error")
    (folder / "R1/participants.tsv").write_text("participant_id\trelease_number\nsub-A\tR1\n")
    dataset = Dataset(reader="hbn", roots=(folder / "R1",))
    inventory = folder / "inventory.parquet"
    build_inventory({"hbn": dataset}, raw=None, excluded_subjects=(), output=inventory)
    build_shard(
        Preprocessing(),
        Quality(),
        inventory=inventory,
        group="hbn-0",
        output=folder / "hbn-0.npy",
        table=folder / "hbn-0.parquet",
    )
    table = read_table(folder / "hbn-0.parquet")
    shard = open_shard(folder / "hbn-0.npy")
    windows = np.stack([read_window(shard, start, 200) for start in STARTS])
    return _seen(windows, table.channels, table.positions, reference)


def scoring(signal: np.ndarray, folder: Path, reference: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The challenge's own copy of the same recording, a BDF at 100 Hz, in the volts of its scorer."""
    raw = mne.io.RawArray(signal / 1e6, mne.create_info(list(CHANNELS), 500, "eeg"), verbose="error")
    raw.filter(0.5, 50, picks="all", verbose="error").resample(100, npad=500, verbose="error")
    path = folder / "scored.bdf"
    edfio.Bdf(
        [
            edfio.BdfSignal(row * 1e6, 100, label=name, physical_dimension="uV", physical_range=(-9e3, 9e3))
            for name, row in zip(raw.ch_names, raw.get_data(), strict=True)
        ]
    ).write(path)
    volts = mne.io.read_raw_bdf(path, verbose="error").get_data(list(CHANNELS)).astype(np.float32)
    windows = np.stack([volts[:, start : start + 200] for start in STARTS])
    return _seen(windows * 1e6, CHANNELS, positions(CHANNELS), reference)


def _seen(
    windows: np.ndarray, names: tuple[str, ...], places: np.ndarray, reference: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By channel: its referenced windows, µV, and whether it takes part in each."""
    seen, present = FrontEnd(reference)(
        torch.from_numpy(windows), torch.from_numpy(places).expand(len(windows), -1, -1)
    )
    return {
        name: (seen[:, place].numpy() * SCALE_UV, present[:, place].numpy())
        for place, name in enumerate(names)
    }


@pytest.mark.parametrize("reference", REFERENCES)
def test_both_paths_agree_to_a_fifth_of_a_microvolt(
    recording: np.ndarray, tmp_path: Path, reference: str
) -> None:
    trained = training(recording, tmp_path, reference)
    scored = scoring(recording, tmp_path, reference)
    assert set(trained) == set(scored) == set(CHANNELS)
    for name in CHANNELS:
        np.testing.assert_array_equal(trained[name][1], scored[name][1], err_msg=name)
        np.testing.assert_allclose(trained[name][0], scored[name][0], atol=TOLERANCE_UV, err_msg=name)
    absent = {name for name in CHANNELS if not trained[name][1].any()}
    assert absent == {"E18", "E61", "Cz"}
    typical = np.median([np.abs(scored[name][0]).mean() for name in CHANNELS if name not in absent])
    assert typical > 20 * TOLERANCE_UV
