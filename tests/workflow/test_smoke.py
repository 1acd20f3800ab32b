"""The whole pipeline at its smallest, from raw files to the score, and what a kill in the middle leaves."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from sklearn.metrics import root_mean_squared_error

from cerebro.files import read_json
from cerebro.recordings.groups import group_index, group_name
from cerebro.statistics.comparison import RESOLUTION

PHASES = ("tokenizer", "pretrain", "contrast", "reaction_time", "externalizing")
ENCODERS = (*PHASES, "random", "signal")
"""What is probed and compared between subjects."""
FURTHER = ("reaction_time-no_contrast-0", "externalizing-no_contrast-0")
"""What the ablations of the smoke configuration train besides."""


def test_every_promised_file_is_there(smoke: Any) -> None:
    results = smoke.folder / "results" / "smoke"
    promised = [
        "raw/simulation.json",
        "inventory/recordings.parquet",
        "shards/hbn-0.npy",
        "shards/hbn-0.parquet",
        "windows/index.parquet",
        "tracking.json",
        "mlflow.db",
        *(f"phases/{phase}/{name}" for phase in PHASES for name in PHASE_FILES),
        "figures/lineage.svg",
        *(f"features/{encoder}.npz" for encoder in ENCODERS),
        *(f"probes/{encoder}.json" for encoder in ENCODERS),
        *(f"isc/{encoder}.json" for encoder in ENCODERS),
        "submission/submission.zip",
        "submission/preflight.json",
        "submission/score.json",
        "submission/predictions.parquet",
        "summary.md",
        "adapters/comparison.json",
        "adapters/comparison.md",
        *(f"tables/{name}.{kind}" for name in ("ablations", "encoders") for kind in ("csv", "json", "md")),
        *(f"tables/{name}.svg" for name in ("forest", "learning_curve", "lineage")),
    ]
    assert [name for name in promised if not (results / name).is_file()] == []


PHASE_FILES = (
    "encoder.safetensors",
    "head.safetensors",
    "checkpoints.safetensors",
    "card.json",
    "metrics.json",
    "history.csv",
)


def test_the_run_ends_with_the_table_of_scores_on_the_terminal(smoke: Any) -> None:
    terminal = (smoke.folder / "terminal.txt").read_text()
    table = terminal[terminal.index("Score on the held-out releases") :]
    assert "submission" in table
    assert "training mean" in table


def test_a_second_run_does_nothing(smoke: Any) -> None:
    assert smoke.jobs() == set()


def test_every_phase_probe_score_and_comparison_is_a_finished_run_of_one_experiment(smoke: Any) -> None:
    results = smoke.folder / "results" / "smoke"
    with sqlite3.connect(results / "mlflow.db") as connection:
        runs = connection.execute("SELECT experiment_id, status FROM runs").fetchall()
    experiment = int(read_json(results / "tracking.json")["experiment_id"])
    assert {(int(number), status) for number, status in runs} == {(experiment, "FINISHED")}
    once = ("score", "adapters")
    trained = [*PHASES, *FURTHER]
    variants = ("full", "no_contrast", "age_sex", "oracle")
    assert len(runs) == len(trained) + 2 * len(ENCODERS) + len(once) + len(variants)


def test_the_table_of_ablations_holds_what_the_answers_of_its_nodes_score(smoke: Any) -> None:
    """By scikit-learn, from the files of answers."""
    results = smoke.folder / "results" / "smoke"
    table = pd.read_csv(results / "tables" / "ablations.csv").set_index(["variant", "metric"])
    full, other = (_nrmse(results, f"reaction_time{suffix}") for suffix in ("", "-no_contrast-0"))
    assert table.at[("full", "c1/nrmse"), "value"] == pytest.approx(full)
    row = table.loc[("no_contrast", "c1/nrmse")]
    assert row["value"] == pytest.approx(other)
    assert row["difference_value"] == pytest.approx(other - full, abs=RESOLUTION)
    assert row["full_gain_value"] == pytest.approx(1 - full / other, abs=RESOLUTION)
    assert row["low"] <= row["value"] <= row["high"]


def _nrmse(results: Path, node: str) -> float:
    answers = pd.read_parquet(results / "predictions" / "test" / f"{node}.parquet")
    return float(
        root_mean_squared_error(answers["truth"], answers["prediction"]) / answers["truth"].std(ddof=0)
    )


def test_the_zip_is_flat_and_names_no_file_of_this_machine(smoke: Any) -> None:
    with zipfile.ZipFile(smoke.folder / "results/smoke/submission/submission.zip") as archive:
        names = archive.namelist()
        text = b"".join(archive.read(name) for name in names if name.endswith(".py")).decode()
    assert "submission.py" in names
    assert [name for name in names if "/" in name] == []
    assert str(smoke.folder) not in text


def test_the_workflow_and_the_inventory_agree_on_groups(smoke: Any) -> None:
    """Who re-runs when a subject comes is decided before the inventory is read."""
    table = pd.read_parquet(smoke.folder / "results/smoke/inventory/recordings.parquet")
    sizes = {"hbn": 2, "tuh": 1}
    expected = [
        group_name(row.dataset, group_index(row.subject, sizes[row.dataset])) for row in table.itertuples()
    ]
    assert table["group"].tolist() == expected
    assert [Path(path).name.split("_")[0] for path in table["path"]] == table["subject"].tolist()


def test_no_step_reads_the_ground_truth(smoke: Any) -> None:
    results = smoke.folder / "results" / "smoke"
    assert list(results.rglob("ground_truth.parquet")) == [results / "raw" / "ground_truth.parquet"]
    sources = [path for path in (smoke.repository / "src").rglob("*.py") if "simulation" not in path.parts]
    assert [path.name for path in sources if "ground_truth" in path.read_text()] == []


def test_a_killed_run_resumes_its_training_when_the_same_command_runs_again(smoke: Any) -> None:
    """Kill Snakemake and its training with SIGKILL after some epochs, then run again at once."""
    overlay = {"phases": {"externalizing": {"epochs": 20, "steps_per_epoch": 4, "learning_rate": 1e-3}}}
    target = "results/smoke/phases/externalizing/card.json"
    state = smoke.folder / "results/smoke/state/externalizing"
    running = subprocess.Popen(
        smoke.command(target, overlay=overlay),
        cwd=smoke.repository,
        env=smoke.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: any(len(pd.read_csv(path)) > 3 for path in state.glob("*/history.csv")))
    kill_with_children(running)
    assert not (smoke.folder / target).exists()
    epochs_before = max(len(pd.read_csv(path)) for path in state.glob("*/history.csv")) - 1
    assert epochs_before < 20

    done = smoke.snakemake(target, overlay=overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = (smoke.folder / target).parent
    assert read_json(folder / "metrics.json")["resumed"] == 1
    assert pd.read_csv(folder / "history.csv")["epoch"].tolist() == list(range(21))
    log = (smoke.folder / "results/smoke/logs/phases/externalizing.log").read_text()
    assert "resuming" in log
    assert f"epoch {1:4d} " not in log


def wait_for(condition: Any, *, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.05)


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a process and all of its descendants, Snakemake first so that it cannot clean up."""
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    process.wait()


def test_windows_that_a_phase_needs_and_lacks_stop_the_run_before_any_training(
    smoke: Any, tmp_path: Path
) -> None:
    """The failed step's log says which filter removed them; shards are taken over from the finished study."""
    study = replace(smoke, folder=tmp_path / "study")
    shutil.copytree(smoke.folder, study.folder)
    shutil.rmtree(study.folder / "results/smoke/phases")
    done = study.snakemake("submission", overlay={"windows": {"max_peak_to_peak": 0.001}})
    assert done.returncode == 1
    terminal = done.stdout + done.stderr
    assert "no window is left for phase" in terminal
    assert "0 that quality kept" in terminal
    assert "Traceback" not in terminal
    assert "Preprocessing" not in terminal
    assert not list(study.folder.glob("results/smoke/phases/*"))
