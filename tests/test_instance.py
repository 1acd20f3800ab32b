"""A lock is stale only where its Snakemake and all its jobs are gone from this machine."""

import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cerebro.files import read_json, write_json
from cerebro.instance import has_stale_lock, record_instance


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A folder with a lock of this process."""
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").touch()
    record_instance(tmp_path)
    return tmp_path


def change(folder: Path, **values: object) -> None:
    record = folder / ".snakemake" / "instance.json"
    write_json(record, {**read_json(record), **values})


def test_the_lock_of_a_living_process_is_not_stale(locked: Path) -> None:
    assert not has_stale_lock(locked)


def test_the_lock_of_a_process_that_was_killed_is_stale(locked: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    change(locked, pid=process.pid, started=psutil.Process(process.pid).create_time())
    assert not has_stale_lock(locked)
    process.kill()
    process.wait()
    assert has_stale_lock(locked)


def test_the_lock_of_another_process_with_a_reused_number_is_stale(locked: Path) -> None:
    change(locked, started=0.0)
    assert has_stale_lock(locked)


def test_the_lock_of_another_machine_is_never_stale(locked: Path) -> None:
    change(locked, host=f"not-{socket.gethostname()}", started=0.0)
    assert not has_stale_lock(locked)


def test_a_lock_whose_job_goes_on_without_its_snakemake_is_not_stale(locked: Path) -> None:
    change(locked, started=0.0)
    script = "import time; print('ready', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, "cerebro.cli", "phase"]
    job = subprocess.Popen(command, cwd=locked, stdout=subprocess.PIPE)
    try:
        assert job.stdout is not None
        job.stdout.readline()
        assert not has_stale_lock(locked)
    finally:
        job.kill()
        job.wait()
    assert has_stale_lock(locked)


def test_a_folder_without_a_lock_or_without_a_record_is_left_alone(locked: Path, tmp_path: Path) -> None:
    (locked / ".snakemake" / "instance.json").unlink()
    assert not has_stale_lock(locked)
    record_instance(locked)
    (locked / ".snakemake" / "locks" / "0.output.lock").unlink()
    assert not has_stale_lock(tmp_path)
