"""MLflow, as far as the steps need it: one store a study, one run a phase, probe or score.

The workflow creates the store once, before parallel steps use it: processes that meet a missing database
all try to create its tables, and all but one crash. Runs are addressed by id through a client; MLflow's
global state is not used.
"""

import math
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cerebro.errors import UserError
from cerebro.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_DATABASE = "mlflow.db"
_METRICS_A_BATCH = 1000  # MLflow refuses longer batches
_PARAMS_A_BATCH = 100
# MLflow's page otherwise opens on traces of language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


class Run:
    """A run that steps log to.

    Attributes
    ----------
    id : str
        MLflow's id of the run.
    """

    def __init__(self, client: "MlflowClient", run_id: str, *, continued: bool) -> None:
        self.id = run_id
        self._client = client
        self._continued = continued
        self._stored: dict[str, set[int]] = {}

    def log_metrics(self, values: Mapping[str, float], *, step: int = 0) -> None:
        """Log metrics of one step in as few calls as MLflow allows.

        A run that was continued keeps what it already stored for a step: MLflow would store it twice.

        Raises
        ------
        ValueError
            A value is NaN or infinite; the message names it.
        """
        from mlflow.entities import Metric

        for name, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"metric {name} is {value} at step {step}: refusing to log it")
        now = int(time.time() * 1000)
        metrics = [
            Metric(name, float(value), now, step)
            for name, value in values.items()
            if step not in self._known_steps(name)
        ]
        for start in range(0, len(metrics), _METRICS_A_BATCH):
            self._client.log_batch(self.id, metrics=metrics[start : start + _METRICS_A_BATCH])

    def log_artifact(self, path: Path) -> None:
        """Copy a file to the run's artifacts."""
        self._client.log_artifact(self.id, str(path))

    def _known_steps(self, metric: str) -> set[int]:
        if not self._continued:
            return set()
        if metric not in self._stored:
            history = self._client.get_metric_history(self.id, metric)
            self._stored[metric] = {entry.step for entry in history}
        return self._stored[metric]


def create_store(*, name: str, output: Path) -> None:
    """Create the study's SQLite store and experiment; an existing store keeps its runs.

    Parameters
    ----------
    name
        The experiment.
    output
        ``tracking.json``: where the store lies and the experiment's id. The database ``mlflow.db`` and the
        folder ``mlartifacts`` stand beside it. The database is put into write-ahead mode, so that parallel
        steps can log; this needs a local disk.
    """
    folder = Path(output).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    client = _client(folder / _DATABASE)
    experiment = client.get_experiment_by_name(name)
    identity = (
        client.create_experiment(
            name, artifact_location=(folder / "mlartifacts").as_uri(), tags=_EXPERIMENT_TAGS
        )
        if experiment is None
        else experiment.experiment_id
    )
    connection = sqlite3.connect(folder / _DATABASE)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    write_json(output, {"database": _DATABASE, "experiment_id": identity, "experiment": name})


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
        A file that holds the run's id. Where it exists and the store knows the run, that run continues;
        else a new run starts and its id is written there.

    Raises
    ------
    UserError
        ``tracking.json`` or its database is missing.
    """
    from mlflow.entities import Param, RunTag

    database, experiment = _read_store(store)
    client = _client(database)
    run_id = _known_run(client, resume)
    continued = run_id is not None
    if run_id is None:
        run_id = client.create_run(experiment, run_name=name).info.run_id
        texts = [Param(key, str(value)) for key, value in (params or {}).items()]
        for start in range(0, len(texts), _PARAMS_A_BATCH):
            client.log_batch(run_id, params=texts[start : start + _PARAMS_A_BATCH])
        if resume is not None:
            with atomic_path(resume) as temporary:
                temporary.write_text(run_id)
    else:
        client.update_run(run_id, status="RUNNING")
    all_tags = {**(tags or {}), "cerebro.kind": kind, "mlflow.source.name": f"cerebro {kind}", **_commit()}
    client.log_batch(run_id, tags=[RunTag(key, str(value)) for key, value in all_tags.items()])
    try:
        yield Run(client, run_id, continued=continued)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def _client(database: Path) -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{database}")


def _read_store(store: Path) -> tuple[Path, str]:
    rebuild = f"snakemake --cores 1 --force {store}, with the study's --configfile"
    if not Path(store).exists():
        raise UserError(f"there is no {store}; create the MLflow store with: {rebuild}")
    content = read_json(store)
    database = Path(store).resolve().parent / content["database"]
    if not database.exists():
        raise UserError(
            f"{store} names the MLflow database {database}, which is gone; rebuild it with: {rebuild}"
        )
    return database, content["experiment_id"]


def _known_run(client: "MlflowClient", resume: Path | None) -> str | None:
    """The run to continue; none where there is none, or where the store was rebuilt and forgot it."""
    from mlflow.exceptions import MlflowException

    if resume is None or not resume.exists():
        return None
    run_id = resume.read_text().strip()
    try:
        client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return run_id


def _commit() -> dict[str, str]:
    """The package's git commit, under the tag that MLflow's own pages show; nothing outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"mlflow.source.git.commit": done.stdout.strip()}
