"""An archive that is corrected and added to after it was read once: what really runs then."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cerebro.config import Simulation
from cerebro.recordings.groups import group_index, group_name
from cerebro.simulation.population import simulate

AUDIT = "results/archived/windows/audit.json"
INVENTORY = "Finding every recording"
INDEX_AND_AUDIT = {"Indexing windows, labels and splits", "Auditing the splits"}
SIMULATION = {
    "releases": {release: {"subjects": 2, "format": "bdf"} for release in ("R1", "R2", "R5")},
    "tuh_subjects": 0,
    "contrast_change_trials": 4,
    "resting_cycles": 1,
    "movies": ["DespicableMe"],
    "movie_seconds": 8,
}
OVERLAY: Mapping[str, Any] = {
    "name": "archived",
    "simulation": None,
    "datasets": {"hbn": {"roots": ["raw/hbn"], "max_failed_share": 0.3}, "tuh": None},
    "phases": {"pretrain": {"mix": {"hbn": 1.0, "tuh": None}}},
}


@pytest.fixture
def archive(empty: Any) -> Path:
    simulate(Simulation.model_validate(SIMULATION), marker=empty.folder / "raw/simulation.json", workers=1)
    return empty.folder / "raw" / "hbn"


def test_what_follows_the_inventory_runs_only_if_the_inventory_says_something_else(
    empty: Any, archive: Path
) -> None:
    """A subject whose table and folder contradict each other stays out until the table is corrected."""
    table = archive / "R1_L100_bdf" / "participants.tsv"
    participants = pd.read_csv(table, sep="\t")
    subject = participants.loc[0, "participant_id"]
    rows = participants["participant_id"] == subject
    write(table, participants.assign(release_number=participants["release_number"].mask(rows, "R3")))
    assert "Auditing the splits" in empty.run(AUDIT, overlay=OVERLAY)
    assert subject not in indexed(empty.folder)

    table.touch()
    (archive / "NOTES.txt").write_text("Copied on Monday.")
    assert empty.run(AUDIT, overlay=OVERLAY) == {INVENTORY}

    write(table, participants)
    shard = f"Preprocessing {group_name('hbn', group_index(subject, 2))}"
    assert empty.run(AUDIT, overlay=OVERLAY) == {INVENTORY, shard} | INDEX_AND_AUDIT
    assert subject in indexed(empty.folder)

    write(table, participants.assign(age=participants["age"] + 1))
    assert empty.run(AUDIT, overlay=OVERLAY) == {INVENTORY} | INDEX_AND_AUDIT
    assert empty.run(AUDIT, overlay=OVERLAY) == set()


def write(table: Path, participants: pd.DataFrame) -> None:
    participants.to_csv(table, sep="\t", index=False)


def indexed(folder: Path) -> set[str]:
    return set(pd.read_parquet(folder / "results/archived/windows/index.parquet")["subject"])
