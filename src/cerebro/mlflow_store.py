"""The study's MLflow database: where it lies, whether it can be used, and which command mends it.

MLflow meets a broken, locked or foreign database with minutes of retries and a traceback. So it is looked at
here first, with SQLite alone, and each fault becomes one sentence.
"""

import errno
import logging
import os
import shlex
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cerebro.errors import UserError
from cerebro.files import read_json

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PATIENCE_S = 60.0
"""Seconds for which another program's lock on the database is waited for."""

ARTIFACT_ROOT = "mlflow-artifacts:/"
"""MLflow's name for the folder that its server is given. It holds no path, so a copied study uses its own."""

MLFLOW_TAG = "cerebro.mlflow"
"""A run's tag: the version of MLflow that recorded it."""

_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_FORBIDDEN = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


class StoreFault(UserError):
    """The database cannot be used now; the sentence says why, and which command mends it."""


class DamagedStore(StoreFault):
    """The database holds nothing that MLflow could read."""


class Store:
    """A study's database, and the folder of its runs' files.

    Parameters
    ----------
    record
        The study's ``tracking.json``; the database and the artifacts lie beside it.
    """

    def __init__(self, record: Path) -> None:
        self.record = Path(record)
        self.folder = self.record.resolve().parent
        self.database = self.folder / "mlflow.db"
        self.artifacts = self.folder / "mlartifacts"
        self.mend = f"snakemake --cores 1 --force {_quoted(self.record)}, with the study's --configfile"

    @property
    def experiment(self) -> str:
        """MLflow's id of the study's experiment.

        Raises
        ------
        UserError
            ``tracking.json`` is missing or holds none, or its database is missing.
        """
        if not self.record.exists():
            raise UserError(f"there is no {self.record}; create the MLflow store with: {self.mend}")
        try:
            found = read_json(self.record)["experiment_id"]
        except (OSError, ValueError, LookupError, TypeError):
            raise UserError(
                f"{self.record} names no MLflow experiment; write it anew with: {self.mend}"
            ) from None
        if not os.path.lexists(self.database):
            raise self._gone()
        return found

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client; of a database that was looked at with :meth:`check`."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # tracebacks of what we say
        client = MlflowClient(tracking_uri=_address(self.database))
        client.search_experiments(max_results=1)  # opens the file
        self._opened = self.database.stat().st_ino
        return client

    def wait(self, seconds: float | None = None) -> None:
        """Return once the database can be written.

        Raises
        ------
        StoreFault
            It cannot, or another program holds it locked for longer.
        """
        with self.faults(), closing(self._connect(seconds)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        if "client" in self.__dict__ and self.database.stat().st_ino != self._opened:
            raise StoreFault(f"{self.database} was replaced while this step ran")

    def check(self, *, thoroughly: bool = False) -> None:
        """Look whether the installed MLflow can record in the database, without changing it.

        Parameters
        ----------
        thoroughly
            Read all of its pages.

        Raises
        ------
        DamagedStore
            It is no database of MLflow's.
        StoreFault
            It cannot be written, is locked, or has another version's schema.
        """
        if self.database.is_dir():
            raise self._damaged("is a folder")
        self.wait()
        with self.faults(), closing(self._connect()) as connection:
            if thoroughly and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise self._damaged(f"is broken ({found})")
            named = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
            if not connection.execute(named).fetchone()[0]:
                raise self._damaged("holds no tables of MLflow's")
            schema = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0]
            if schema is None:
                raise self._damaged("holds tables of MLflow's that were not finished")
            self._compare(schema, connection)

    def set_aside(self) -> Path:
        """Rename the database, and the two files that SQLite keeps beside it; return the new name."""
        aside = self.database.with_name(f"mlflow.db.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        for suffix in ("-wal", "-shm", ""):
            beside = Path(f"{self.database}{suffix}")
            if os.path.lexists(beside):
                beside.rename(f"{aside}{suffix}")
        return aside

    def keep_artifacts_here(self, experiment: str) -> None:
        """Let runs keep their files in this study's folder, where an absolute path named a folder.

        Stores of earlier versions hold such paths: copies of a study wrote into the original's folder. Files
        of a run that lie there alone are copied.
        """
        from mlflow.utils.file_utils import local_file_uri_to_path

        where = "experiment_id = ? AND ({0} LIKE 'file:%' OR {0} LIKE '/%')"
        with self.faults(), closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            runs = f"SELECT run_uuid, artifact_uri FROM runs WHERE {where.format('artifact_uri')}"
            for run, uri in connection.execute(runs, (int(experiment),)).fetchall():
                source, target = Path(local_file_uri_to_path(uri)), self.artifacts / run / "artifacts"
                if source.is_dir() and not target.exists():
                    shutil.copytree(source, target)
                move = "UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?"
                connection.execute(move, (f"{ARTIFACT_ROOT}{run}/artifacts", run))
            move = f"UPDATE experiments SET artifact_location = ? WHERE {where.format('artifact_location')}"
            connection.execute(move, (ARTIFACT_ROOT, int(experiment)))
            connection.execute("COMMIT")

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what SQLite, the disk or MLflow raise into a :class:`StoreFault`."""
        try:
            yield
        except Exception as error:
            origin = type(error).__module__.partition(".")[0]
            if not isinstance(error, sqlite3.Error | OSError) and origin not in (
                "mlflow",
                "sqlalchemy",
                "alembic",
            ):
                raise
            raise self._fault(error) from error

    def _connect(self, seconds: float | None = None) -> sqlite3.Connection:
        address = f"{self.database.as_uri()}?mode=rw"  # creates no file
        timeout = PATIENCE_S if seconds is None else seconds
        return sqlite3.connect(address, uri=True, timeout=timeout, isolation_level=None)

    def _compare(self, schema: str, connection: sqlite3.Connection) -> None:
        """Refuse the schema of another version: MLflow would upgrade it unasked, in several steps at once."""
        import mlflow
        from mlflow.store.db.utils import _get_latest_schema_revision

        wanted, here = _get_latest_schema_revision(), mlflow.__version__
        if schema == wanted:
            return
        steps = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
        if list(steps.glob(f"{schema}_*.py")):
            raise StoreFault(
                f"{self.database} was written by an older MLflow than {here} (schema {schema}, {wanted} is "
                "needed): keep a copy of it, and upgrade it with: "
                f"cd {_quoted(self.folder)} && mlflow db upgrade sqlite:///{self.database.name}"
            )
        recorded = "SELECT value FROM tags JOIN runs USING (run_uuid) WHERE key = ? ORDER BY start_time DESC"
        try:
            found = connection.execute(recorded, (MLFLOW_TAG,)).fetchone()
        except sqlite3.Error:  # tables of a version that nobody knows here
            found = None
        newer = f"mlflow=={found[0]}" if found and found[0] != here else f"mlflow>{here}"
        raise StoreFault(
            f"{self.database} was written by a newer MLflow: {here} does not know its schema {schema}; "
            f"record in it with the environment that wrote it, or here after: pip install '{newer}'"
        )

    def _fault(self, error: BaseException) -> StoreFault:
        if isinstance(error, OSError):
            return self._disk_fault(error)
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, sqlite3.Error):
            cause = cause.__cause__
        code = getattr(cause, "sqlite_errorname", "")
        text = next(iter(str(cause or error).splitlines()), type(error).__name__)
        if not os.path.lexists(self.database):
            return self._gone()
        if code.startswith(_DAMAGE):
            return self._damaged(f"is broken ({text})")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreFault(
                f"{self.database} is locked by another program, for longer than is waited for; close that "
                f"program (fuser -v {_quoted(self.database)} names it) and give the same command again"
            )
        if code.startswith(_FORBIDDEN):
            return self._forbidden(text)
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            return self._full(text)
        return StoreFault(f"MLflow does not record in {self.database} ({text}); repair it with: {self.mend}")

    def _disk_fault(self, error: OSError) -> StoreFault:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return self._forbidden(str(error))
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return self._full(str(error))
        return StoreFault(f"{self.folder} cannot hold the MLflow store ({error}); it must be a folder")

    def _forbidden(self, text: str) -> StoreFault:
        return StoreFault(
            f"{self.database} cannot be written ({text}); allow it, as its owner, with: "
            f"chmod u+rwX {_quoted(self.folder)} {_quoted(self.database)}*"
        )

    def _full(self, text: str) -> StoreFault:
        return StoreFault(
            f"{self.database} cannot be written ({text}); make room on its disk, shown by "
            f"df -h {_quoted(self.folder)}, and give the same command again"
        )

    def _damaged(self, what: str) -> DamagedStore:
        return DamagedStore(
            f"{self.database} {what}; set it aside and begin a new one with: {self.mend}; MLflow's pages "
            "then lack the runs so far, no result is lost"
        )

    def _gone(self) -> StoreFault:
        return StoreFault(
            f"{self.record} names the MLflow database {self.database}, which is gone; rebuild it with: "
            f"{self.mend}"
        )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _address(database: Path) -> str:
    """The database for MLflow; to its URLs a question mark ends the path, so a link without one is named."""
    folder = database.parent
    return f"sqlite:///{Path(_link(folder)) / 'folder' if '?' in str(folder) else folder}/{database.name}"


@cache
def _link(folder: Path) -> str:
    place = tempfile.TemporaryDirectory(prefix="cerebro-mlflow-")
    _LINKS.append(place)  # removed when the process ends
    (Path(place.name) / "folder").symlink_to(folder, target_is_directory=True)
    return place.name


_LINKS: list[tempfile.TemporaryDirectory[str]] = []
