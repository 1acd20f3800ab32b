"""Real Snakemakes that are killed, and started again at once with the same command."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

TARGET = "results/{name}/raw/simulation.json"


@pytest.fixture
def start(empty: Any) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts the first steps of a study of this name in a session of their own, and waits for one to run."""
    started = []

    def run(name: str) -> subprocess.Popen[bytes]:
        overlay = empty.folder / f"{name}.yaml"
        overlay.write_text(f"name: {name}\n")
        command = [*empty.command(TARGET.format(name=name)), str(overlay)]
        process = subprocess.Popen(
            command,
            cwd=empty.repository,
            env=empty.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        kill_all(process)


def steps_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Steps that a Snakemake has started, as soon as there is one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            children = psutil.Process(process.pid).children(recursive=True)
            found = [child for child in children if "cerebro.cli" in child.cmdline()]
        except psutil.Error:
            found = []
        if found:
            return found
        assert process.poll() is None, output_of(process)
        time.sleep(0.02)
    raise AssertionError("no step began")


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """`kill -9` of a Snakemake and of all that it started, at once."""
    try:
        every = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return
    for number in every:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue


def output_of(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.read().decode()


def test_after_a_kill_of_everything_the_same_command_goes_on_at_once(start: Any, empty: Any) -> None:
    first = start("smoke")
    steps_of(first)
    kill_all(first)
    assert list((empty.folder / ".snakemake" / "locks").iterdir())
    second = start("smoke")
    text = output_of(second)
    assert second.wait() == 0, text
    assert "removing the lock of a Snakemake that was killed while it ran results/smoke" in text
    assert (empty.folder / TARGET.format(name="smoke")).is_file()


def test_a_step_that_outlives_its_snakemake_is_named_and_its_end_lets_the_study_go_on(
    start: Any, empty: Any
) -> None:
    """The step is held, as one that trains for hours would be."""
    first = start("smoke")
    (left, *_) = steps_of(first)
    left.suspend()
    first.kill()
    first.wait()
    second = start("smoke")
    text = output_of(second)
    assert second.wait() == 1
    assert "Traceback" not in text
    assert f"(process {left.pid})" in text
    numbers = text.partition("with: kill ")[2].split()
    assert str(left.pid) in numbers
    for number in numbers:
        os.kill(int(number), signal.SIGKILL)
    third = start("smoke")
    text = output_of(third)
    assert third.wait() == 0, text


def test_a_study_that_was_killed_starts_again_beside_another_one_that_runs_in_the_same_folder(
    start: Any, empty: Any
) -> None:
    other = start("other")
    held = steps_of(other)
    for step in held:
        step.suspend()
    first = start("smoke")
    steps_of(first)
    kill_all(first)
    second = start("smoke")
    text = output_of(second)
    assert second.wait() == 0, text
    again = start("other")  # its lock is lost by now: each Snakemake that ends removes those of all
    text = output_of(again)
    assert again.wait() == 1
    assert f"results/other is being run by another Snakemake (process {other.pid})" in text
    assert "Traceback" not in text
    for step in held:
        step.resume()
    text = output_of(other)
    assert other.wait() == 0, text
    assert (empty.folder / TARGET.format(name="other")).is_file()
