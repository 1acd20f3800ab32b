"""The MLflow store as its users see it: what is stored, what a second process or a resumed run finds."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.tracking import create_store, start_run


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("study") / "tracking.json"
    create_store(name="study", output=store)
    return store


def read_run(store: Path, run_id: str):
    return MlflowClient(tracking_uri=f"sqlite:///{store.parent / 'mlflow.db'}").get_run(run_id)


def read_history(store: Path, run_id: str, metric: str) -> list[tuple[int, float]]:
    client = MlflowClient(tracking_uri=f"sqlite:///{store.parent / 'mlflow.db'}")
    return [(entry.step, entry.value) for entry in client.get_metric_history(run_id, metric)]


def test_the_store_is_a_wal_database_with_the_experiment_that_tracking_json_names(empty_store: Path) -> None:
    content = read_json(empty_store)
    assert content["database"] == "mlflow.db"
    assert content["experiment"] == "study"
    with sqlite3.connect(empty_store.parent / "mlflow.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        query = "SELECT name FROM experiments WHERE experiment_id = ?"
        assert connection.execute(query, (content["experiment_id"],)).fetchone() == ("study",)


def test_creating_the_store_again_keeps_experiment_and_runs(empty_store: Path) -> None:
    before = read_json(empty_store)
    with start_run(empty_store, name="a", kind="probe") as run:
        run.log_metrics({"val/loss": 1.0})
    create_store(name="study", output=empty_store)
    assert read_json(empty_store) == before
    assert read_history(empty_store, run.id, "val/loss") == [(0, 1.0)]


def test_a_finished_run_holds_its_metrics_params_tags_and_files(empty_store: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    with start_run(
        empty_store, name="pretrain", kind="pretrain", tags={"cerebro.node": "p"}, params={"epochs": 3}
    ) as run:
        for step in range(3):
            run.log_metrics({"val/loss": 1.0 / (step + 1), "train/loss": 2.0}, step=step)
        run.log_artifact(note)
    stored = read_run(empty_store, run.id)
    assert stored.info.status == "FINISHED"
    assert stored.info.run_name == "pretrain"
    assert stored.info.experiment_id == read_json(empty_store)["experiment_id"]
    assert stored.data.params == {"epochs": "3"}
    assert stored.data.tags["cerebro.kind"] == "pretrain"
    assert stored.data.tags["cerebro.node"] == "p"
    assert read_history(empty_store, run.id, "val/loss") == [(0, 1.0), (1, 0.5), (2, 1.0 / 3)]
    copies = [path.read_text() for path in (empty_store.parent / "mlartifacts").rglob("note.txt")]
    assert copies == ["hello"]


def test_a_run_whose_block_raises_is_failed_and_the_error_goes_on(empty_store: Path) -> None:
    with pytest.raises(RuntimeError, match="boom"), start_run(empty_store, name="a", kind="probe") as run:
        raise RuntimeError("boom")
    assert read_run(empty_store, run.id).info.status == "FAILED"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_metric_that_is_no_finite_number_is_refused_by_name(empty_store: Path, value: float) -> None:
    with pytest.raises(ValueError, match="val/loss"), start_run(empty_store, name="a", kind="probe") as run:
        run.log_metrics({"val/loss": value})


def test_more_metrics_and_params_than_mlflow_takes_at_once_are_all_stored(empty_store: Path) -> None:
    params = {f"p{number}": number for number in range(150)}
    with start_run(empty_store, name="a", kind="probe", params=params) as run:
        run.log_metrics({f"m{number}": number for number in range(1500)})
    stored = read_run(empty_store, run.id)
    assert len(stored.data.metrics) == 1500
    assert len(stored.data.params) == 150


@pytest.mark.slow
def test_a_killed_run_continues_and_a_repeated_step_is_stored_once(empty_store: Path, tmp_path: Path) -> None:
    resume = tmp_path / "state" / "run_id"
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from cerebro.tracking import start_run\n"
        "with start_run(Path(sys.argv[1]), name='a', kind='probe', resume=Path(sys.argv[2])) as run:\n"
        "    run.log_metrics({'val/loss': 3.0}, step=0)\n"
        "    run.log_metrics({'val/loss': 2.0}, step=1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(empty_store), str(resume)], check=False)
    assert killed.returncode == -9
    run_id = resume.read_text()
    assert read_run(empty_store, run_id).info.status == "RUNNING"
    with start_run(empty_store, name="a", kind="probe", resume=resume) as run:
        run.log_metrics({"val/loss": 2.0}, step=1)
        run.log_metrics({"val/loss": 1.0}, step=2)
    assert run.id == run_id
    assert read_history(empty_store, run_id, "val/loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert read_run(empty_store, run_id).info.status == "FINISHED"


def test_a_resume_file_from_a_store_that_was_rebuilt_starts_a_new_run(
    empty_store: Path, tmp_path: Path
) -> None:
    resume = tmp_path / "run_id"
    resume.write_text("f" * 32)
    with start_run(empty_store, name="a", kind="probe", resume=resume) as run:
        pass
    assert resume.read_text() == run.id != "f" * 32


@pytest.mark.slow
def test_parallel_processes_lose_no_metric(empty_store: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cerebro.tracking import start_run\n"
        "with start_run(Path(sys.argv[1]), name=sys.argv[2], kind='parallel') as run:\n"
        "    for step in range(20):\n"
        "        run.log_metrics({'val/loss': float(step)}, step=step)\n"
        "print(run.id)\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(empty_store), f"worker-{number}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    run_ids = [worker.communicate()[0].strip() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    for run_id in run_ids:
        assert [step for step, _ in read_history(empty_store, run_id, "val/loss")] == list(range(20))


def test_a_missing_store_or_database_says_which_command_rebuilds_it(tmp_path: Path) -> None:
    store = tmp_path / "tracking.json"
    with pytest.raises(UserError, match=r"snakemake --cores 1 --force .*tracking\.json, with .*--configfile"):
        start_run(store, name="a", kind="probe").__enter__()
    store.write_text('{"database": "mlflow.db", "experiment_id": "1", "experiment": "study"}')
    with pytest.raises(UserError, match=r"mlflow\.db.*snakemake --cores 1 --force .*tracking\.json"):
        start_run(store, name="a", kind="probe").__enter__()
