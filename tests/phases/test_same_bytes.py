"""A study that is run twice on one machine gives the same files."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cerebro.cli import main
from cerebro.files import read_json

CHALLENGE = Path(__file__).parents[2] / "config" / "challenge.yaml"
LABELS = yaml.safe_load(CHALLENGE.read_text())["labels"]
ENCODER = {"dim": 16, "depth": 1, "heads": 2}
PHASE = {"kind": "pretrain", "target": "signal", "mix": {"hbn": 0.7, "tuh": 0.3}, "epochs": 2}
SETTINGS: dict[str, Any] = {
    "phase": {
        "phase": {**PHASE, "steps_per_epoch": 3, "batch_size": 12},
        "labels": {},
        "encoder": ENCODER,
        "lineage": ["pretrain"],
    },
    "features": {"sets": ["eyes", "fixed"], "labels": {}, "max_windows_per_subject": 6},
    "probe": {
        "probes": {"targets": ["eyes", "age"]},
        "labels": LABELS,
        "statistics": {"resamples": 100},
    },
    "isc": {"isc": {}, "labels": {"movie": LABELS["movie"]}, "statistics": {"resamples": 100}},
}
RESULTS = ("phases", "features", "probes", "isc", "figures")
MAY_DIFFER = {"phases/pretrain/card.json"}
"""It names the MLflow run. (In a whole study so do the inventory, which holds the times of files, and
`preflight.json`, which tells milliseconds; `state`, `logs`, `benchmarks` and MLflow's own are none of the
results.)"""


def run(study: Any, folder: Path) -> None:
    """Everything from the shards to the probes' figure, in a folder of its own, by relative paths."""
    for part in ("windows", "shards"):
        shutil.copytree(study.root / part, folder / part)
    reading = ["--index", "windows/index.parquet", "--tracking", "tracking.json"]
    encoder = ["--encoder", "phases/pretrain"]
    lines = {
        "track": ["--name", "twice", "--output", "tracking.json"],
        "phase": ["--node", "pretrain", *reading, "--state", "state", "--output", "phases/pretrain"],
        "features": [*encoder, *reading[:2], "--output", "features/pretrain.npz"],
        "probe": ["--features", "features/pretrain.npz", *reading, "--output", "probes/pretrain.json"],
        "isc": [*encoder, *reading, "--output", "isc/pretrain.json"],
        "lineage": ["--probes", "probes/pretrain.json", "--output", "figures/lineage.svg"],
    }
    for step, line in lines.items():
        settings = ["--settings", json.dumps(SETTINGS[step])] if step in SETTINGS else []
        assert main([step, *line, *settings]) == 0


@pytest.mark.slow
def test_two_runs_of_a_study_differ_in_the_name_of_their_mlflow_run_alone(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CEREBRO_COMPUTE", json.dumps({"accelerator": "cpu", "threads": 1}))
    written: list[dict[str, bytes]] = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        run(study, folder)
        files = [path for part in RESULTS for path in Path(part).rglob("*")]
        written.append({str(path): path.read_bytes() for path in files if path.is_file()})
    first, second = written
    assert first.keys() == second.keys()
    assert {"features/pretrain.npz", "phases/pretrain/encoder.safetensors"} <= first.keys()
    assert {name for name in first if first[name] != second[name]} <= MAY_DIFFER
    cards = [read_json(tmp_path / name / "phases/pretrain/card.json") for name in ("first", "second")]
    assert cards[0].pop("mlflow_run_id") != cards[1].pop("mlflow_run_id")
    assert cards[0] == cards[1]
