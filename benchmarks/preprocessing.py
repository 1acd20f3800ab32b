"""Cost of preprocessing a recording. Files lie in the page cache: the disk has no part in it."""

from pathlib import Path

import mne
import pandas as pd

from benchmarks.measure import Case, Tables
from benchmarks.recordings import simulated_inventory, write_shard
from cerebro.config import Preprocessing
from cerebro.recordings.signals import open_raw
from cerebro.shards.preprocess import preprocess
from cerebro.shards.store import SFREQ


def tables(folder: Path, *, small: bool) -> Tables:
    """One table per format, of its longest recording."""
    formats = simulated_inventory(folder, small=small).groupby("format")
    return dict(_table(rows.nlargest(1, "duration"), folder) for _, rows in formats)


def _table(rows: pd.DataFrame, folder: Path) -> tuple[str, list[Case]]:
    row, settings = rows.iloc[0], Preprocessing()
    path = Path(row["path"])
    done = "read" if row["filtered"] else "filter, resample"

    def signal_alone() -> None:
        preprocess(open_raw(path), settings, filtered=row["filtered"])

    def with_mne() -> None:
        raw = read().pick(list(range(row["n_chans"])))  # electrodes stand first
        if not row["filtered"]:
            raw.filter(*settings.band).resample(SFREQ)
        raw.save(folder / "mne_eeg.fif", overwrite=True)

    def read() -> mne.io.BaseRaw:
        return mne.io.read_raw(path, preload=True)

    size = f"{row['duration']:.0f} s of {row['n_chans']} channels at {row['sfreq']:.0f} Hz"
    return f"Preprocessing {size}, `.{row['format']}`", [
        Case(
            "ours",
            f"the shard step: {done}, judge channels, digest, write",
            lambda: write_shard(rows, folder),
        ),
        Case("ours", f"of it: {done}", signal_alone),
        Case("rival", f"MNE: {done}, save as `.fif`", with_mne),
        Case("limit", "MNE reads the signals", read),
        Case("limit", "reading the bytes", path.read_bytes),
    ]
