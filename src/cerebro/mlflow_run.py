"""One run as it is to stand in MLflow, kept as a file for as long as MLflow cannot take it."""

import fcntl
import math
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cerebro.files import read_json, write_json
from cerebro.mlflow_store import Store, StoreFault

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

_METRICS_A_BATCH = 1000  # MLflow refuses longer batches
_PARAMS_A_BATCH = 100
_FOLDER = "unsent"


@dataclass
class Record:
    """A run, and how much of it MLflow has.

    Attributes
    ----------
    name, tags, params
        As MLflow shows them.
    started, ended : int
        Milliseconds since 1970.
    run_id : str, optional
        MLflow's id; none as long as MLflow does not know the run.
    described : bool
        Whether MLflow has the parameters, which it never changes.
    metrics : list of (name, value, milliseconds since 1970, step)
        In the order in which they came; the first ``sent`` of them were sent.
    files : list of str
        Artifacts, relative to the study's folder where they lie in it.
    status : str
        MLflow's word for it.
    """

    name: str
    tags: dict[str, str]
    params: dict[str, str]
    started: int = field(default_factory=lambda: _now())
    ended: int | None = None
    run_id: str | None = None
    described: bool = False
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    sent: int = 0
    files: list[str] = field(default_factory=list)
    status: str = "RUNNING"

    def add_metrics(self, values: Mapping[str, float], *, step: int) -> None:
        """Take up metrics of one step; one that is there already stays as it is.

        Raises
        ------
        ValueError
            A value is NaN or infinite; the message names it.
        """
        for name, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"metric {name} is {value} at step {step}: refusing to log it")
        there = {(name, at) for name, _, _, at in self.metrics}
        now = _now()
        self.metrics += [(k, float(v), now, step) for k, v in values.items() if (k, step) not in there]

    def add_file(self, path: Path, *, store: Store) -> None:
        """Take up an artifact."""
        full = Path(path).resolve()
        inside = full.is_relative_to(store.folder)
        self.files.append(str(full.relative_to(store.folder) if inside else full))

    def end(self, status: str) -> None:
        """Close the run."""
        self.status, self.ended = status, _now()

    def send(self, store: Store, experiment: str, *, stored: "Stored | None" = None) -> None:
        """Bring MLflow up to date.

        Parameters
        ----------
        store, experiment
            Where the run belongs.
        stored
            What the run may hold already, so that nothing is stored twice.
        """
        from mlflow.entities import Metric, Param, RunTag

        client = store.client
        if self.run_id is None:
            run = client.create_run(experiment, start_time=self.started, run_name=self.name)
            self.run_id = run.info.run_id
        if not self.described:
            texts = [Param(key, value) for key, value in self.params.items()]
            for start in range(0, len(texts), _PARAMS_A_BATCH):
                client.log_batch(self.run_id, params=texts[start : start + _PARAMS_A_BATCH])
            client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in self.tags.items()])
            self.described = True
        while batch := self.metrics[self.sent : self.sent + _METRICS_A_BATCH]:
            new = [entry for entry in batch if stored is None or not stored.has(entry[0], entry[3])]
            if new:
                client.log_batch(self.run_id, metrics=[Metric(*entry) for entry in new])
            self.sent += len(batch)
        self._copy_files(store)
        if self.ended is not None:
            client.set_terminated(self.run_id, self.status, end_time=self.ended)

    def keep(self, store: Store) -> Path:
        """Write the run down for a later :func:`send_unsent`; return the folder."""
        write_json(store.folder / _FOLDER / f"{self.run_id or uuid.uuid4().hex}.json", asdict(self))
        return store.folder / _FOLDER

    def _copy_files(self, store: Store) -> None:
        folder = store.artifacts / str(self.run_id) / "artifacts"
        for name in self.files:
            source = store.folder / name
            if source.is_file():
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / source.name)


class Stored:
    """The steps that a run of MLflow's holds already, looked up once for each metric."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id = store, run_id
        self._steps: dict[str, set[int]] = {}

    def has(self, metric: str, step: int) -> bool:
        """Whether the run has a value of the metric at this step."""
        if metric not in self._steps:
            history = self._store.client.get_metric_history(self._run_id, metric)
            self._steps[metric] = {entry.step for entry in history}
        return step in self._steps[metric]


def find_run(store: Store, run_id: str) -> "MlflowRun | None":
    """MLflow's run of this id; none where the store does not know it, since it was rebuilt."""
    from mlflow.exceptions import MlflowException

    try:
        return store.client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def count_unsent(folder: Path) -> int:
    """Runs of a study's folder that MLflow still lacks, wholly or in part."""
    return len(list((Path(folder) / _FOLDER).glob("*.json")))


def send_unsent(store: Store, experiment: str) -> None:
    """Send the runs that earlier steps had to keep; one that still cannot be sent stays.

    A run that a rebuilt store does not know is made anew, one that was deleted in MLflow is let go.
    """
    files = sorted((store.folder / _FOLDER).glob("*.json"))
    if not files:
        return
    with _alone(store.folder / _FOLDER) as alone:
        for file in files if alone else []:
            if not file.exists():  # sent by another step in the meantime
                continue
            try:
                record = Record(**read_json(file))
                with store.faults():
                    _send_again(record, store, experiment, file)
            except (StoreFault, ValueError, TypeError) as fault:
                print(f"{file} is not sent: {fault}", flush=True)
            else:
                file.unlink()
                print(f"sent to MLflow what was kept of '{record.name}'", flush=True)


def _send_again(record: Record, store: Store, experiment: str, file: Path) -> None:
    found = None if record.run_id is None else find_run(store, record.run_id)
    if found is not None:
        if found.info.lifecycle_stage == "active":
            record.sent = 0
            record.send(store, experiment, stored=Stored(store, found.info.run_id))
        return
    record.run_id, record.sent, record.described = None, 0, False
    record.run_id = store.client.create_run(
        experiment, start_time=record.started, run_name=record.name
    ).info.run_id
    write_json(file, asdict(record))  # a kill from here on makes no second run
    record.send(store, experiment)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other step sends at this moment."""
    with (folder / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _now() -> int:
    return int(time.time() * 1000)
