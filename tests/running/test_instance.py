"""Which study a Snakemake runs, and what is done about the lock of one that was killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cerebro.errors import UserError
from cerebro.running import instance
from cerebro.running.instance import clear_stale_lock, record_instance

SNAKEMAKE = """
import sys, time
from pathlib import Path
from cerebro.running.instance import record_instance
record_instance(Path.cwd(), sys.argv[1])
locks = Path(".snakemake/locks")
locks.mkdir(parents=True, exist_ok=True)
number = len(list(locks.iterdir()))
(locks / f"{number}.output.lock").write_text(f"{sys.argv[1]}/summary.md\\n")
print("ready", flush=True)
time.sleep(120)
"""
STEP = "import time; print('ready', flush=True); time.sleep(120)"

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a Python script in the folder, and returns when it says that it is ready."""
    started = []

    def run(script: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "SNAKEMAKE_DIES_S", 0.2)
    monkeypatch.setattr(instance, "STEPS_DIE_S", 0.2)


def locks(folder: Path) -> list[str]:
    """Studies that are locked."""
    files = (folder / ".snakemake" / "locks").glob("*")
    return sorted(file.read_text().split("/")[1] for file in files)


def step(start: Start, study: str = "a") -> subprocess.Popen[bytes]:
    return start(STEP, "cerebro.cli", "phase", "--output", f"results/{study}/phases/p")


def test_the_lock_of_a_snakemake_that_was_killed_is_removed_although_nobody_buried_it(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed process whose parent does not look is still listed by the system."""
    process = start(SNAKEMAKE, "results/a")
    os.kill(process.pid, signal.SIGKILL)
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == []
    assert "removing the lock" in capsys.readouterr().err
    clear_stale_lock(tmp_path, "results/a")
    assert capsys.readouterr().err == ""


def test_a_snakemake_that_dies_slowly_is_waited_for(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "SNAKEMAKE_DIES_S", 30.0)
    process = start(SNAKEMAKE, "results/a")
    killer = subprocess.Popen(["sh", "-c", f"sleep 0.7; kill -9 {process.pid}"])
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == []
    killer.wait()


def test_the_lock_of_a_living_snakemake_stays_and_its_process_is_named(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second one of the study is refused even where another study's end took the lock."""
    process = start(SNAKEMAKE, "results/a")
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == ["a"]
    assert f"run by another Snakemake (process {process.pid})" in capsys.readouterr().err
    with pytest.raises(UserError, match=f"process {process.pid}"):
        record_instance(tmp_path, "results/a")


def test_two_studies_of_one_folder_have_a_record_and_a_lock_each(start: Start, tmp_path: Path) -> None:
    """Killing one and starting it again touches nothing of the other, which lives."""
    names = ("a", "ab")
    first, second = (start(SNAKEMAKE, f"results/{name}") for name in names)
    assert locks(tmp_path) == ["a", "ab"]
    first.kill()
    clear_stale_lock(tmp_path, "results/ab")
    assert locks(tmp_path) == ["a", "ab"]
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == ["ab"]
    second.kill()
    clear_stale_lock(tmp_path, "results/ab")
    assert locks(tmp_path) == []


def test_a_step_that_lives_on_is_named_with_its_process_and_the_way_to_end_it(
    start: Start, tmp_path: Path
) -> None:
    """The lock stays until it is gone; a step of another study is in nobody's way."""
    process, left, other = start(SNAKEMAKE, "results/a"), step(start), step(start, "other")
    process.kill()
    told = rf"phase results/a/phases/p \(process {left.pid}\); .*kill {left.pid}$"
    with pytest.raises(UserError, match=told):
        clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == ["a"]
    left.kill()
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == []
    assert other.poll() is None


def test_a_step_that_dies_slowly_is_waited_for(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "STEPS_DIE_S", 30.0)
    process, left = start(SNAKEMAKE, "results/a"), step(start)
    process.kill()
    killer = subprocess.Popen(["sh", "-c", f"sleep 0.7; kill -9 {left.pid}"])
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == []
    killer.wait()


def test_a_number_that_another_process_has_now_and_another_machine_are_told_apart(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(SNAKEMAKE, "results/a")
    (record,) = (tmp_path / ".snakemake" / "instances").glob("*.json")
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "host": f"not-{socket.gethostname()}", "started": 0.0}))
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == ["a"]
    assert f"run on not-{socket.gethostname()}" in capsys.readouterr().err
    record.write_text(json.dumps({**content, "started": 0.0}))
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == []


def test_a_lock_that_nobody_wrote_down_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.output.lock").write_text("results/a/summary.md\n")
    clear_stale_lock(tmp_path, "results/a")
    assert locks(tmp_path) == ["a"]


def test_a_snakemake_that_ends_by_itself_leaves_no_record(tmp_path: Path) -> None:
    script = SNAKEMAKE.replace("time.sleep(120)", "sys.exit(1)")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, "results/a"], cwd=tmp_path, env=environment, check=False)
    assert list((tmp_path / ".snakemake" / "instances").iterdir()) == []
