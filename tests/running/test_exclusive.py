"""Two processes never train into one folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cerebro.errors import UserError
from cerebro.running.exclusive import exclusive

HOLD = """
import sys
from pathlib import Path
from cerebro.running.exclusive import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the folder until its standard input closes."""
    source = Path(sys.modules["cerebro"].__path__[0]).parent
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def test_a_second_process_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "pretrain"
    with holder(folder) as first:
        with pytest.raises(UserError) as caught, exclusive(folder):
            pass
        assert str(caught.value) == (
            f"another process is training into {folder} (pid {first.pid}); wait for it or stop it"
        )
        with exclusive(folder.with_name("contrast")):
            pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        first.kill()
        first.wait()
        with exclusive(tmp_path):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_finished_or_failed_block_lets_go(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(tmp_path):
        raise RuntimeError("the training failed")
    with exclusive(tmp_path):
        pass
    with holder(tmp_path):
        pass


def test_a_child_of_the_training_joins_it(tmp_path: Path) -> None:
    with exclusive(tmp_path), holder(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
