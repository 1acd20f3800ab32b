"""An archive that is corrected and added to after it was read once: what really runs then."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cerebro.config import Simulation
from cerebro.simulation.population import simulate

AUDIT = "results/archived/windows/audit.json"
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
    assert "Auditing the splits" in empty.run(AUDIT, overlay=OVERLAY)
    table = archive / "R1_L100_bdf" / "participants.tsv"
    table.touch()
    (archive / "NOTES.txt").write_text("Copied on Monday.")
    assert empty.run(AUDIT, overlay=OVERLAY) == {"Finding every recording"}
    frame = pd.read_csv(table, sep="\t")
    frame.assign(age=frame["age"] + 1).to_csv(table, sep="\t", index=False)
    assert empty.run(AUDIT, overlay=OVERLAY) == {"Finding every recording"} | INDEX_AND_AUDIT
    assert empty.run(AUDIT, overlay=OVERLAY) == set()
