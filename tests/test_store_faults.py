"""A database that MLflow cannot use: one sentence with the command that mends it, and nothing is lost."""

import multiprocessing
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from cerebro import mlflow_store
from cerebro.files import read_json
from cerebro.mlflow_store import MLFLOW_TAG
from cerebro.tracking import StoreFault, check_store, create_store, describe_unsent, start_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder with a store of one run."""
    folder = tmp_path_factory.mktemp("made")
    create_store(name="study", output=folder / "tracking.json")
    (folder / "metrics.json").write_text("{}")
    with start_run(folder / "tracking.json", name="earlier", kind="probe") as run:
        run.log_metrics({"val/loss": 1.0})
        run.log_artifact(folder / "metrics.json")
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """``tracking.json`` of a copy of the study."""
    return copy(made, tmp_path / "study")


def copy(made: Path, folder: Path) -> Path:
    shutil.copytree(made, folder)
    return folder / "tracking.json"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for shortly."""
    monkeypatch.setattr(mlflow_store, "PATIENCE_S", 0.3)


def query(store: Path, text: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(store.parent / "mlflow.db")) as connection, connection:
        return connection.execute(text, values).fetchall()


def history(store: Path, name: str) -> list[tuple[int, float]]:
    """Steps and values of `val/loss` of all runs of this name."""
    text = "SELECT step, value FROM metrics JOIN runs USING (run_uuid) WHERE name = ? ORDER BY step"
    return query(store, text, name)


def create_elsewhere(store: Path) -> None:
    """The command that mends a store, run by another process as in the workflow."""
    command = [sys.executable, "-m", "cerebro.cli", "track", "--name", "study", "--output", store]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, env=environment, check=True, capture_output=True)


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Another program has the database for itself."""
    with closing(sqlite3.connect(store.parent / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def set_schema(version: str | None) -> Callable[[Path], None]:
    def change(database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM alembic_version")
            if version is not None:
                connection.execute("INSERT INTO alembic_version VALUES (?)", (version,))

    return change


def drop_tables(database: Path) -> None:
    database.unlink()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE anything (a)")


def truncate(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def scribble(database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (database.stat().st_size - 8192))


def become_folder(database: Path) -> None:
    database.unlink()
    (database / "sub").mkdir(parents=True)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda database: database.write_bytes(b""),
    "text": lambda database: database.write_text(
        "no database at all, but long enough to be looked at\n" * 99
    ),
    "truncated": truncate,
    "scribbled": scribble,
    "another program's": drop_tables,
    "without a version": set_schema(None),
    "folder": become_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_stops_a_step_before_its_work_and_at_once(store: Path, damage: str) -> None:
    """MLflow alone would try for 100 seconds."""
    DAMAGES[damage](store.parent / "mlflow.db")
    started = time.monotonic()
    with (
        pytest.raises(StoreFault) as told,
        start_run(store, name="a", kind="b", resume=store.parent / "run_id"),
    ):
        pytest.fail("the work began")
    assert time.monotonic() - started < 20
    assert re.search(r"mlflow\.db .*snakemake --cores 1 --force \S*tracking\.json", str(told.value))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("damage", ["truncated", "folder"])
def test_the_command_sets_a_damaged_database_aside_and_the_new_one_takes_runs(
    store: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that it held is thrown away."""
    DAMAGES[damage](store.parent / "mlflow.db")
    create_store(name="study", output=store)
    aside = min(store.parent.glob("mlflow.db.broken-*"), key=lambda path: len(path.name))
    assert aside.is_dir() == (damage == "folder")
    assert str(aside) in capsys.readouterr().out
    with start_run(store, name="later", kind="probe") as run:
        run.log_metrics({"val/loss": 2.0})
    assert history(store, "later") == [(0, 2.0)]


def test_a_newer_schema_is_left_alone_and_the_version_that_wrote_it_is_named(store: Path) -> None:
    set_schema("feedfacecafe")(store.parent / "mlflow.db")
    query(store, "UPDATE tags SET value = '99.1.0' WHERE key = ?", MLFLOW_TAG)
    before = (store.parent / "mlflow.db").read_bytes()
    for use in (lambda: check_store(store), lambda: create_store(name="study", output=store)):
        with pytest.raises(StoreFault, match=r"newer MLflow.*feedfacecafe.*pip install 'mlflow==99\.1\.0'"):
            use()
    assert (store.parent / "mlflow.db").read_bytes() == before
    query(store, "DELETE FROM tags")
    with pytest.raises(StoreFault, match=r"newer MLflow.*pip install 'mlflow>\d"):
        check_store(store)


def test_an_older_schema_is_upgraded_by_the_command_that_is_said_and_by_nothing_else(tmp_path: Path) -> None:
    """A real database of an earlier schema, in a folder whose name a shell would take apart."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base
    from sqlalchemy import create_engine

    store = tmp_path / "it's a study" / "tracking.json"
    store.parent.mkdir()
    address = f"sqlite:///{store.parent / 'mlflow.db'}"
    Base.metadata.create_all(create_engine(address))
    command.upgrade(_get_alembic_config(address), "bd07f7e963c5")
    with pytest.raises(StoreFault) as told:
        create_store(name="study", output=store)
    with pytest.raises(StoreFault, match="older MLflow"):
        create_store(name="study", output=store)
    _, _, said = str(told.value).partition("upgrade it with: ")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(said, shell=True, env=environment, check=True, capture_output=True)
    create_store(name="study", output=store)
    check_store(store)


@pytest.mark.usefixtures("impatient")
def test_a_lock_is_waited_for_and_then_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resume = store.parent / "run_id"
    with locked(store):
        for use in (lambda: check_store(store), lambda: create_store(name="study", output=store)):
            with pytest.raises(StoreFault, match=r"locked by another program.*fuser -v \S*mlflow\.db"):
                use()
        with pytest.raises(StoreFault, match="locked"), start_run(store, name="a", kind="b", resume=resume):
            pytest.fail("the work began")
    assert not resume.exists()
    monkeypatch.setattr(mlflow_store, "PATIENCE_S", 30.0)
    with locked(store):
        freed = threading.Event()
        waiting = threading.Thread(target=lambda: (check_store(store), freed.set()))
        waiting.start()
        assert not freed.wait(0.5)
    assert freed.wait(20)
    waiting.join()


@pytest.mark.usefixtures("impatient")
def test_what_a_lock_kept_from_a_training_is_sent_by_the_next_step_and_once(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock lasts from the second epoch to beyond the end."""
    with start_run(store, name="training", kind="pretrain", resume=store.parent / "run_id") as run:
        run.log_metrics({"val/loss": 3.0}, step=0)
        lock = locked(store)
        lock.__enter__()
        run.log_metrics({"val/loss": 2.0}, step=1)
        run.log_metrics({"val/loss": 1.0}, step=2)
        run.log_artifact(store.parent / "metrics.json")
    lock.__exit__(None, None, None)
    said = capsys.readouterr().out
    assert said.count("locked by another program") == 1
    assert "sent by the next step" in said
    assert history(store, "training") == [(0, 3.0)]
    assert re.search(r"lacks a run .*snakemake --cores 1 --force", describe_unsent(store))
    broken = store.parent / "unsent" / "broken.json"
    broken.write_text("{")  # it is nobody's obstacle
    for _ in range(2):
        with start_run(store, name="next", kind="probe"):
            pass
    assert history(store, "training") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert query(store, "SELECT status FROM runs WHERE name = 'training'") == [("FINISHED",)]
    assert (store.parent / "mlartifacts" / run.id / "artifacts" / "metrics.json").exists()
    assert f"{broken} is not sent" in capsys.readouterr().out
    broken.unlink()
    assert describe_unsent(store) == ""


@pytest.mark.usefixtures("impatient")
def test_a_step_that_logs_when_its_work_is_done_succeeds_and_its_run_follows_whole(store: Path) -> None:
    with locked(store), start_run(store, name="score", kind="score", params={"resamples": 9}) as run:
        run.log_metrics({"val/loss": 4.0})
        run.log_artifact(store.parent / "metrics.json")
    assert run.id == ""
    assert query(store, "SELECT count(*) FROM runs WHERE name = 'score'") == [(0,)]
    create_store(name="study", output=store)
    ((identity, status),) = query(store, "SELECT run_uuid, status FROM runs WHERE name = 'score'")
    assert status == "FINISHED"
    assert history(store, "score") == [(0, 4.0)]
    assert query(store, "SELECT key, value FROM params WHERE run_uuid = ?", identity) == [("resamples", "9")]
    kinds = query(store, "SELECT value FROM tags WHERE run_uuid = ? AND key = 'cerebro.kind'", identity)
    assert kinds == [("score",)]
    assert (store.parent / "mlartifacts" / identity / "artifacts" / "metrics.json").exists()


def test_what_a_full_disk_keeps_from_mlflow_fails_no_step_whose_results_are_written(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with start_run(store, name="finished", kind="probe") as run:
            run.log_metrics({"val/loss": 1.0})
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().out
    assert "the results are written; what MLflow lacks of them is lost to it (" in said
    assert "no space left on its disk" in said
    assert "make room on its disk" in said


@pytest.mark.parametrize("damage", ["text", "gone", "replaced"])
def test_a_training_ends_well_although_its_database_breaks_and_its_run_stands_in_the_new_one(
    store: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of its epochs, those included that only the broken database had."""
    database = store.parent / "mlflow.db"
    with start_run(store, name="training", kind="pretrain", resume=store.parent / "run_id") as run:
        run.log_metrics({"val/loss": 3.0}, step=0)
        if damage == "replaced":
            database.rename(database.with_name("mine.db"))
            create_elsewhere(store)
        elif damage == "gone":
            database.unlink()
        else:
            DAMAGES[damage](database)
        run.log_metrics({"val/loss": 2.0}, step=1)
    assert "the results are written" in capsys.readouterr().out
    create_elsewhere(store)
    assert history(store, "training") == [(0, 3.0), (1, 2.0)]
    assert query(store, "SELECT status FROM runs WHERE name = 'training'") == [("FINISHED",)]


def test_what_a_user_deleted_in_mlflow_stays_deleted_and_the_study_goes_on(store: Path) -> None:
    """A run that is deleted while it runs is let go; a deleted experiment is brought back by the command."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store.parent / 'mlflow.db'}")
    with start_run(store, name="training", kind="pretrain", resume=store.parent / "run_id") as run:
        client.delete_run(run.id)
        run.log_metrics({"val/loss": 3.0})
    with start_run(store, name="next", kind="probe"):
        pass
    assert describe_unsent(store) == ""
    assert history(store, "training") == []
    client.delete_experiment(read_json(store)["experiment_id"])
    with pytest.raises(StoreFault, match=r"deleted in MLflow; bring it back with: snakemake"):
        check_store(store)
    create_store(name="study", output=store)
    check_store(store)


@pytest.mark.parametrize(
    "name", ["a ?b", "q?x=1&uri=true", "ha#sh", "per%cent%20", 'it\'s "quoted"', "a@b:c;d"]
)
def test_any_folder_name_holds_a_store(made: Path, tmp_path: Path, name: str) -> None:
    """And nothing is written elsewhere."""
    store = copy(made, tmp_path / name / "study")
    create_store(name="study", output=store)
    with start_run(store, name="here", kind="probe") as run:
        run.log_metrics({"val/loss": 2.0})
        run.log_artifact(store.parent / "metrics.json")
    assert history(store, "here") == [(0, 2.0)]
    assert (store.parent / "mlartifacts" / run.id / "artifacts" / "metrics.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_copied_or_moved_study_keeps_its_files_in_its_own_folder(
    made: Path, store: Path, tmp_path: Path
) -> None:
    before = sorted(made.rglob("*"))
    locations = query(store, "SELECT artifact_uri FROM runs UNION SELECT artifact_location FROM experiments")
    assert not [uri for (uri,) in locations if str(made) in uri]
    with start_run(store, name="copied", kind="probe") as run:
        run.log_artifact(store.parent / "metrics.json")
    assert (store.parent / "mlartifacts" / run.id / "artifacts" / "metrics.json").exists()
    assert sorted(made.rglob("*")) == before
    store.parent.rename(tmp_path / "moved")
    with start_run(tmp_path / "moved" / "tracking.json", name="moved", kind="probe") as run:
        run.log_artifact(tmp_path / "moved" / "metrics.json")
    assert (tmp_path / "moved" / "mlartifacts" / run.id / "artifacts" / "metrics.json").exists()
    assert not store.parent.exists()


def test_paths_that_an_earlier_version_stored_are_mended_and_strayed_files_come_home(
    made: Path, tmp_path: Path
) -> None:
    """A copied study of an earlier version, which wrote into the original's folder."""
    original = copy(made, tmp_path / "what?")
    where = f"{original.parent.as_uri()}/mlartifacts"
    query(original, "UPDATE experiments SET artifact_location = ?", where)
    query(original, "UPDATE runs SET artifact_uri = ? || '/' || run_uuid || '/artifacts'", where)
    store = copy(original.parent, tmp_path / "copy")
    shutil.rmtree(store.parent / "mlartifacts")
    with start_run(store, name="later", kind="probe") as run:
        run.log_artifact(store.parent / "metrics.json")
    uris = query(
        store,
        "SELECT artifact_uri FROM runs UNION SELECT artifact_location FROM experiments WHERE name = 'study'",
    )
    assert all(uri.startswith("mlflow-artifacts:/") for (uri,) in uris)
    ((earlier,),) = query(store, "SELECT run_uuid FROM runs WHERE name = 'earlier'")
    for identity in (earlier, run.id):
        assert (store.parent / "mlartifacts" / identity / "artifacts" / "metrics.json").exists()
    assert not (original.parent / "mlartifacts" / run.id).exists()


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_store_that_may_not_be_written_says_how_to_allow_it(made: Path, closed: str) -> None:
    """Asked by a process that is not root's, since root may write everywhere."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        store = copy(made, Path(place) / "study")
        for suffix in ("-wal", "-shm"):
            Path(f"{store.parent / 'mlflow.db'}{suffix}").unlink(missing_ok=True)
        store.chmod(0o644)
        store.parent.chmod(0o755)
        shut, mode = (store.parent, 0o555) if closed == "folder" else (store.parent / "mlflow.db", 0o444)
        shut.chmod(mode)
        with multiprocessing.get_context("fork").Pool(1, become_somebody_else) as pool:
            told = pool.apply(fault_of, (store,))
        store.parent.chmod(0o755)
    assert re.fullmatch(
        r"\S*mlflow\.db cannot be written \(.*\); allow it, as its owner, with: chmod .*", told
    )


def become_somebody_else() -> None:
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


def fault_of(store: Path) -> str:
    try:
        check_store(store)
    except StoreFault as fault:
        return str(fault)
    return "none"
