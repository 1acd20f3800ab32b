"""What an interrupted training left is trusted only as far as it can be read."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import lightning as L
import pytest
import torch

from cerebro.cli import main
from cerebro.data.card import read_card
from cerebro.phases.checkpoints import WholeCheckpoints, newest_checkpoint
from cerebro.phases.recorder import Recorder

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Done:
    """How a process ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


Attempt = Callable[..., Done]


@pytest.fixture(scope="module")
def command(study, trained, store) -> Callable[[Path], list[str]]:
    """The command of a training of four epochs into a folder."""

    def written(folder: Path) -> list[str]:
        settings = read_card(trained["contrast"])["settings"]
        settings["phase"] = {**settings["phase"], "epochs": 4, "checkpoints": 1}
        words = ["phase", "--node", "contrast", "--settings", json.dumps(settings), "--index", study.index]
        words += ["--tracking", store, "--parents", f"init={trained['pretrain']}"]
        words += ["--output", folder / "contrast", "--state", folder / "state"]
        return [str(word) for word in (*words, "--compute", '{"accelerator": "cpu", "threads": 1}')]

    return written


@pytest.fixture(scope="module")
def attempt(command) -> Attempt:
    """One start of the training in a process of its own; killed, or out of disk, after an epoch.

    The process is a fork: to import torch anew takes longer than to train.
    """

    def start(folder: Path, die_after: int = -1, full_after: int = -1) -> Done:
        folder.mkdir(exist_ok=True)
        child = os.fork()
        if not child:
            _become(command(folder), folder, die_after, full_after)
        _, status = os.waitpid(child, 0)
        texts = [(folder / name).read_text() for name in ("out", "err")]
        return Done(os.waitstatus_to_exitcode(status), *texts)

    return start


def _become(command: list[str], folder: Path, die_after: int, full_after: int) -> NoReturn:
    """Run a command in this process, which it then ends."""
    code = 70
    try:
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        record, save = Recorder.record, WholeCheckpoints.save_checkpoint

        def stop(self: Recorder, trainer: L.Trainer, epoch: int) -> None:
            record(self, trainer, epoch)
            if epoch == die_after:
                os.kill(os.getpid(), signal.SIGKILL)

        def fill(self: WholeCheckpoints, checkpoint: dict[str, Any], *rest: Any, **named: Any) -> None:
            full = checkpoint["epoch"] + 1 == full_after
            if full:
                resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
            try:
                save(self, checkpoint, *rest, **named)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

        Recorder.record = stop  # type: ignore[method-assign]
        WholeCheckpoints.save_checkpoint = fill  # type: ignore[assignment, method-assign]
        code = main(command)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@pytest.fixture(scope="module")
def whole(attempt, tmp_path_factory) -> Path:
    """The output of a training that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    done = attempt(folder)
    assert done.returncode == 0, done.stderr
    return folder / "contrast"


@pytest.fixture(scope="module")
def killed(attempt, tmp_path_factory) -> Path:
    """A folder whose training was killed within its fourth epoch."""
    folder = tmp_path_factory.mktemp("killed")
    assert attempt(folder, die_after=4).returncode == -signal.SIGKILL
    return folder


def state_of(folder: Path) -> Path:
    (state,) = [path for path in (folder / "state").iterdir() if path.is_dir()]
    return state


def assert_same_bytes(output: Path, expected: Path) -> None:
    for name in ("encoder.safetensors", "head.safetensors", "checkpoints.safetensors", "history.csv"):
        assert (output / name).read_bytes() == (expected / name).read_bytes(), name


def test_the_last_checkpoint_and_the_one_before_are_whole_files(killed):
    epochs = {
        name: torch.load(state_of(killed) / name, weights_only=True)["epoch"] + 1
        for name in ("last.ckpt", "before.ckpt")
    }
    assert epochs == {"last.ckpt": 3, "before.ckpt": 2}
    assert not [path for path in state_of(killed).iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("cut", [0, 1, 1000, 0.3, 0.9, -1, "zeros"])
def test_a_checkpoint_that_cannot_be_read_is_set_aside_for_the_one_before(killed, tmp_path, capsys, cut):
    state = tmp_path / "state"
    shutil.copytree(state_of(killed), state)
    (state / "fitted").touch()
    last = state / "last.ckpt"
    content = last.read_bytes()
    end = round(cut * len(content)) if isinstance(cut, float) else cut
    last.write_bytes(bytes(len(content)) if cut == "zeros" else content[:end])
    assert newest_checkpoint(state) == state / "before.ckpt"
    assert not last.exists()
    assert not (state / "fitted").exists()
    assert (state / "last.ckpt.unreadable").exists()
    said = capsys.readouterr().out
    assert said.startswith(f"{last} cannot be read (")
    assert said.endswith("it is set aside as last.ckpt.unreadable\n")


@pytest.mark.parametrize("name", ["best.ckpt", "history.csv", "snapshot-2.safetensors"])
def test_without_what_nothing_makes_up_for_a_training_starts_anew(killed, tmp_path, name):
    state = tmp_path / "state"
    shutil.copytree(state_of(killed), state)
    (state / name).write_bytes(b"")
    assert newest_checkpoint(state) is None
    assert {path.name for path in state.iterdir()} == {"run_id", f"{name}.unreadable"}


def test_nothing_left_is_nothing_to_go_on_from(tmp_path):
    assert newest_checkpoint(tmp_path) is None


@pytest.mark.parametrize("lost", [("last.ckpt",), ("last.ckpt", "before.ckpt")])
def test_after_half_a_checkpoint_a_training_ends_with_the_same_bytes(attempt, killed, whole, tmp_path, lost):
    shutil.copytree(killed, tmp_path / "study")
    for name in lost:
        path = state_of(tmp_path / "study") / name
        path.write_bytes(path.read_bytes()[:5000])
    done = attempt(tmp_path / "study")
    assert done.returncode == 0, done.stderr
    assert ("resuming from" in done.stdout) == (len(lost) == 1)
    assert_same_bytes(tmp_path / "study" / "contrast", whole)
    assert [path.name for path in (tmp_path / "study" / "state").iterdir()] == [".lock"]


def test_a_full_disk_is_one_sentence_and_leaves_the_older_checkpoint(attempt, whole, tmp_path):
    """A file that may not grow further is what a quota gives; a full disk says the same with other words."""
    full = attempt(tmp_path, full_after=2)
    assert full.returncode == 1
    reason = full.stderr.strip().splitlines()[-1]
    assert "could not be written: no space left on its disk" in reason
    assert "Traceback" not in full.stderr
    assert torch.load(state_of(tmp_path) / "last.ckpt", weights_only=True)["epoch"] == 0
    again = attempt(tmp_path)
    assert again.returncode == 0, again.stderr
    assert "resuming from" in again.stdout
    assert_same_bytes(tmp_path / "contrast", whole)


RANKS = {"RANK": "1", "LOCAL_RANK": "1", "NODE_RANK": "1", "WORLD_SIZE": "4", "MASTER_PORT": "1"}
SLURM = {"SLURM_PROCID": "3", "SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"}


@pytest.mark.parametrize("environment", [RANKS, SLURM])
def test_a_rank_in_the_environment_makes_no_single_training_another_process(
    command, whole, tmp_path, environment
):
    """It trained, failed for want of a file that another was to write, and failed again for ever."""
    done = subprocess.run(
        [sys.executable, "-m", "cerebro.cli", *command(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert_same_bytes(tmp_path / "contrast", whole)


def test_a_starting_training_clears_what_killed_ones_left(attempt, killed, whole, tmp_path):
    shutil.copytree(killed, tmp_path / "study")
    state = state_of(tmp_path / "study")
    shutil.copytree(state, state.with_name("0123456789abcdef"))
    (state / ".last.01234567.ckpt").write_bytes(b"half")
    done = attempt(tmp_path / "study")
    assert done.returncode == 0, done.stderr
    assert "resuming from" in done.stdout
    assert [path.name for path in state.parent.iterdir()] == [".lock"]
    assert_same_bytes(tmp_path / "study" / "contrast", whole)
