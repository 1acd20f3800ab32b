"""MLflow, as far as the steps need it: one store a study, one run a phase, probe or score.

The workflow creates the store once, before parallel steps use it: processes that meet a missing database
all try to create its tables, and all but one crash. Runs are addressed by id through a client; MLflow's
global state is not used. A store that cannot be used stops a step before its work, never after it: what
MLflow cannot take then is kept beside it and sent by the next step.
"""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from cerebro.errors import UserError
from cerebro.files import atomic_path, write_json
from cerebro.mlflow_run import Record, Stored, count_unsent, find_run, send_unsent
from cerebro.mlflow_store import ARTIFACT_ROOT, MLFLOW_TAG, DamagedStore, Store, StoreFault

__all__ = ["Run", "StoreFault", "check_store", "create_store", "describe_unsent", "start_run"]

# MLflow's page otherwise opens on traces of language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


class Run:
    """A run that steps log to; after it began, no fault of the store stops the step.

    Attributes
    ----------
    id : str
        MLflow's id of the run.
    """

    def __init__(self, store: Store, experiment: str, record: Record) -> None:
        self._store = store
        self._experiment = experiment
        self._record = record
        self._stored: Stored | None = None
        self._said: set[str] = set()

    @property
    def id(self) -> str:
        """MLflow's id of the run; empty where MLflow does not know it yet."""
        return self._record.run_id or ""

    def log_metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Log metrics of one step; a run that has a value for a step keeps it.

        Raises
        ------
        ValueError
            A value is NaN or infinite; the message names it.
        """
        self._record.add_metrics(values, step=step)
        self._send(seconds=1.0)

    def log_artifact(self, path: Path) -> None:
        """Copy a file to the run's artifacts, beside the database."""
        self._record.add_file(path, store=self._store)

    def begin(self, resume: Path | None) -> None:
        """Create the run, or continue the one that ``resume`` names, in a store that was checked.

        Raises
        ------
        StoreFault
            The store cannot be used.
        """
        with self._store.faults():
            known = None
            if resume is not None and resume.exists():
                known = find_run(self._store, resume.read_text().strip())
            if known is not None and known.info.lifecycle_stage == "active":
                self._record.run_id = known.info.run_id
                self._record.params = {}  # MLflow has them
                self._stored = Stored(self._store, known.info.run_id)
                self._store.client.update_run(known.info.run_id, status="RUNNING")
            try:
                self._record.send(self._store, self._experiment, stored=self._stored)
            finally:
                if resume is not None and self.id:
                    with atomic_path(resume) as temporary:
                        temporary.write_text(self.id)

    def finish(self) -> None:
        """Close the run; where MLflow cannot take it, keep it for the next step."""
        self._record.end("FINISHED")
        if self._record.run_id is not None and self._send():
            return
        try:
            kept = f"kept in {self._record.keep(self._store)} and sent by the next step, or by"
        except (OSError, UserError) as error:  # the disk is full
            kept = f"lost to it ({error}); repair the store with"
        print(f"the results are written; what MLflow lacks of them is {kept}: {self._store.mend}", flush=True)

    def fail(self) -> None:
        """Close the run of a step that did not succeed."""
        self._record.end("FAILED")
        self._send(seconds=1.0)

    def _send(self, *, seconds: float | None = None) -> bool:
        """Whether MLflow took what it lacked; a fault is said once."""
        if self._record.run_id is None:
            return False
        try:
            self._store.wait(seconds)
            with self._store.faults():
                self._record.send(self._store, self._experiment, stored=self._stored)
        except StoreFault as fault:
            self.say(fault)
            return False
        return True

    def say(self, fault: StoreFault) -> None:
        """Print a fault of the store, once."""
        if str(fault) not in self._said:
            print(f"not sent to MLflow: {fault}", flush=True)
        self._said.add(str(fault))


def create_store(*, name: str, output: Path) -> None:
    """Create the study's SQLite store and experiment, and send what earlier steps could not.

    An existing store keeps its runs; one that MLflow could not read is set aside.

    Parameters
    ----------
    name
        The experiment.
    output
        ``tracking.json``: where the store lies and the experiment's id. The database ``mlflow.db`` and the
        folder ``mlartifacts`` stand beside it. The database is put into write-ahead mode, so that parallel
        steps can log; this needs a local disk.

    Raises
    ------
    StoreFault
        The folder or the database cannot be written, or another version of MLflow wrote it.
    """
    store = Store(output)
    with store.faults():
        store.folder.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(store.database):
            try:
                store.check(thoroughly=True)
            except DamagedStore as fault:
                print(f"{fault}\nset aside as {store.set_aside()}", flush=True)
        if not store.database.exists():
            store.set_aside()  # SQLite would take what a lost database left beside it for the new one's
            store.database.touch()  # says at once where it cannot be, MLflow tries for minutes
        client = store.client
        experiment = client.get_experiment_by_name(name)
        identity = (
            client.create_experiment(name, artifact_location=ARTIFACT_ROOT, tags=_EXPERIMENT_TAGS)
            if experiment is None
            else experiment.experiment_id
        )
        if experiment is not None and experiment.lifecycle_stage != "active":
            client.restore_experiment(identity)
        with closing(sqlite3.connect(store.database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        store.keep_artifacts_here(identity)
        write_json(output, {"database": store.database.name, "experiment_id": identity, "experiment": name})
        send_unsent(store, identity)


def check_store(record: Path) -> None:
    """Look whether a step that computes first will be able to log what it found.

    Raises
    ------
    UserError
        ``tracking.json`` or its database is missing.
    StoreFault
        The database cannot be used; the sentence names the command that mends it.
    """
    store = Store(record)
    _ready(store, store.experiment)


@contextmanager
def start_run(
    store: Path,
    *,
    name: str,
    kind: str,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    resume: Path | None = None,
) -> Iterator[Run]:
    """Open a run, and close it as FINISHED, or as FAILED when the block raises.

    Parameters
    ----------
    store
        The study's ``tracking.json``.
    name, kind
        The run's name, and its tag ``cerebro.kind``.
    tags, params
        Further tags and parameters; parameters of a continued run are not logged again.
    resume
        A file that holds the run's id, for a step whose work lies within the block. Where it exists and the
        store knows the run, that run continues; else a new run starts and its id is written there. A fault
        of the store stops such a step before its work. Without the file the work is done: the run is kept for
        the next step.

    Raises
    ------
    UserError
        ``tracking.json`` or its database is missing.
    StoreFault
        The database cannot be used, and the work lies ahead.
    """
    place = Store(store)
    experiment = place.experiment
    all_tags = {**(tags or {}), "cerebro.kind": kind, "mlflow.source.name": f"cerebro {kind}"}
    all_tags |= {MLFLOW_TAG: _mlflow_version(), **_commit()}
    texts = {key: str(value) for key, value in (params or {}).items()}
    run = Run(place, experiment, Record(name, {k: str(v) for k, v in all_tags.items()}, texts))
    try:
        _ready(place, experiment)
        run.begin(resume)
    except StoreFault as fault:
        if resume is not None:
            raise
        run.say(fault)
    try:
        yield run
    except BaseException:
        run.fail()
        raise
    run.finish()


def describe_unsent(record: Path) -> str:
    """One sentence on the runs that MLflow still lacks; empty where it has them all."""
    store = Store(record)
    number = count_unsent(store.folder)
    runs = "a run" if number == 1 else f"{number} runs"
    return (
        f"MLflow lacks {runs} of this study, kept in {store.folder}/unsent; send with: {store.mend}"
        * bool(number)
    )


def _ready(store: Store, experiment: str) -> None:
    """Check a store, let its artifacts lie in its own folder, and send what other steps had to keep."""
    store.check()
    with store.faults():
        found = store.client.get_experiment(experiment)
        if found.lifecycle_stage != "active":
            raise StoreFault(
                f"the experiment of {store.record} was deleted in MLflow; bring it back with: {store.mend}"
            )
        if found.artifact_location != ARTIFACT_ROOT:
            store.keep_artifacts_here(experiment)
        send_unsent(store, experiment)


def _mlflow_version() -> str:
    from importlib.metadata import version

    return version("mlflow")


def _commit() -> dict[str, str]:
    """The package's git commit, under the tag that MLflow's own pages show.

    Nothing outside a repository, or inside another one, such as that around a virtual environment.
    """
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        subprocess.run(
            [*git, "ls-files", "--error-unmatch", Path(__file__).name], capture_output=True, check=True
        )
        done = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"mlflow.source.git.commit": done.stdout.strip()}


if __name__ == "__main__":  # as `make ui` does before it opens the store
    place = Store(Path(sys.argv[1]))
    try:
        _ready(place, place.experiment)
    except UserError as error:
        sys.exit(f"make: {error}")
    print(place.experiment)
