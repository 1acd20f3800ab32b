"""A simulated TUAB by its shipped declaration: from raw files to probes and a scored classification."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

OVERLAY = {
    "extends": "tuab",
    "name": "small_tuab",
    "simulation": {
        "releases": {},
        "movies": [],
        "tuh_subjects": 0,
        "tuab_subjects": 18,
        "tuh_seconds": 40,
    },
    "datasets": {"tuab": {"roots": [], "groups": 1}},
    "encoder": {"dim": 16, "depth": 1, "heads": 2},
    "phases": {
        "tokenizer": {"epochs": 2, "start_epoch": 1, "steps_per_epoch": 4, "batch_size": 16, "codes": 16},
        "pretrain": {"epochs": 2, "steps_per_epoch": 2, "batch_size": 16},
        "abnormal": {"epochs": 4, "steps_per_epoch": 5, "batch_size": 16},
    },
    "statistics": {"resamples": 200},
    "compute": {"threads": 1},
}


@pytest.fixture(scope="module")
def tuab(tmp_path_factory: pytest.TempPathFactory, study_in: Any) -> Path:
    """The results of the study, which ran without a target: it has no submission."""
    study = study_in(tmp_path_factory.mktemp("tuab"))
    done = study.snakemake(overlay=OVERLAY, over=None)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return study.folder / "results" / "small_tuab"


def test_the_folder_names_the_class_and_the_evaluation_split_is_tested(tuab: Path) -> None:
    index = pd.read_parquet(tuab / "windows" / "index.parquet")
    paths = pd.read_parquet(tuab / "inventory" / "recordings.parquet").set_index("recording")["path"]
    folders = index["recording"].map(paths).map(lambda path: Path(path).parts)
    assert (index["abnormal"] == folders.map(lambda parts: parts[-3])).all()
    assert ((index["split"] == "test") == folders.map(lambda parts: parts[-4] == "eval")).all()
    assert index.groupby("split")["subject"].nunique().to_dict() == {"test": 6, "train": 10, "validation": 2}


def test_the_classification_is_scored_beside_its_floors(tuab: Path) -> None:
    score = json.loads((tuab / "scores" / "abnormal.json").read_text())
    assert (score["split"], score["n_subjects"]) == ("test", 6)
    found = score["metrics"]["balanced_accuracy"]
    assert 0 <= found["value"] <= 1
    assert found["floors"]
    assert "auc" in score["metrics"]


def test_every_encoder_is_probed_for_what_was_declared_and_tabled(tuab: Path) -> None:
    encoders = ("tokenizer", "pretrain", "abnormal", "signal", "random", "covariance")
    probes = {name: json.loads((tuab / "probes" / f"{name}.json").read_text()) for name in encoders}
    for probe in probes.values():
        assert set(probe["targets"]) == {"abnormal", "age", "sex", "identity"}
    # What slows the simulated patients is plain in the bands' power.
    assert probes["signal"]["targets"]["abnormal"]["metrics"]["balanced_accuracy"]["value"] > 0.7
    summary = (tuab / "summary.md").read_text()
    for heading in ("## Scores", "## Linear probes: the person", "## Phases", "## Recordings and windows"):
        assert heading in summary
    for absent in ("Challenge", "stimulus", "release"):
        assert absent not in summary
    assert "covariance" in (tuab / "probes" / "table.md").read_text()
    assert not (tuab / "isc").exists()
    assert not (tuab / "submission").exists()
