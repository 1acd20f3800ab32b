"""Simulated recordings in the formats of the archives, and shards of them."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pandas as pd

from cerebro.config import Dataset, Preprocessing, Quality, SimulatedRelease, Simulation
from cerebro.recordings.inventory import build_inventory
from cerebro.shards.build import build_shard
from cerebro.simulation.population import simulate


def simulated_inventory(folder: Path, *, small: bool) -> pd.DataFrame:
    """Record one subject in ``.set`` at 500 Hz, one in ``.bdf`` at 100 Hz, one in ``.edf``; the inventory."""
    seconds = 10.0 if small else 120.0
    settings = Simulation(
        releases={"R1": SimulatedRelease(subjects=1, format="set"), "R2": SimulatedRelease(subjects=1)},
        tuh_subjects=1,
        contrast_change_trials=3,
        resting_cycles=1,
        movies=("ThePresent",),
        movie_seconds=seconds,
        tuh_seconds=seconds,
    )
    simulate(settings, marker=folder / "raw" / "simulation.json", workers=1)
    datasets = {name: Dataset(reader=name) for name in ("hbn", "tuh")}
    with redirect_stdout(StringIO()):
        build_inventory(
            datasets, raw=folder / "raw", excluded_subjects=(), output=folder / "inventory.parquet"
        )
    return pd.read_parquet(folder / "inventory.parquet")


def write_shard(rows: pd.DataFrame, folder: Path) -> None:
    """Write ``shard.npy`` and ``shard.parquet`` of recordings of one group, as the workflow does."""
    rows.to_parquet(folder / "chosen.parquet")
    with redirect_stdout(StringIO()):
        build_shard(
            Preprocessing(),
            Quality(),
            inventory=folder / "chosen.parquet",
            group=rows["group"].iloc[0],
            output=folder / "shard.npy",
            table=folder / "shard.parquet",
        )
