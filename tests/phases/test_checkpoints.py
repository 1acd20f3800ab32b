"""What an interrupted training left is trusted only as far as it can be read."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cerebro.data.card import read_card
from cerebro.phases.checkpoints import newest_checkpoint

EPOCHS = 4
START = """
import json, os, resource, signal, sys
from pathlib import Path
from cerebro.cli import main
from cerebro.phases import recorder

job = json.loads(sys.argv[1])
record = recorder.Recorder.record
def stop(self, trainer, epoch):
    record(self, trainer, epoch)
    if epoch == job["die_after"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if epoch == job["full_after"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
recorder.Recorder.record = stop
sys.exit(main(job["command"]))
"""

Attempt = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def attempt(study, trained, store) -> Attempt:
    """One start of a training of four epochs, as its command; killed, or out of disk, after an epoch."""

    def start(folder: Path, die_after: int = -1, full_after: int = -1, **environment: str):
        settings = read_card(trained["contrast"])["settings"]
        settings["phase"] = {**settings["phase"], "epochs": EPOCHS, "checkpoints": 1}
        command = ["phase", "--node", "contrast", "--settings", json.dumps(settings), "--index", study.index]
        command += [
            "--tracking",
            store,
            "--parents",
            f"init={trained['pretrain']}",
            "--output",
            folder / "output",
        ]
        command += ["--state", folder / "state", "--compute", '{"accelerator": "cpu", "threads": 1}']
        job = {"command": [str(word) for word in command], "die_after": die_after, "full_after": full_after}
        return subprocess.run(
            [sys.executable, "-c", START, json.dumps(job)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        )

    return start


@pytest.fixture(scope="module")
def whole(attempt, tmp_path_factory) -> Path:
    """The output of a training that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    done = attempt(folder)
    assert done.returncode == 0, done.stderr
    return folder / "output"


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
    assert_same_bytes(tmp_path / "study" / "output", whole)
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
    assert_same_bytes(tmp_path / "output", whole)


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "1"},
        {"LOCAL_RANK": "1", "WORLD_SIZE": "2", "NODE_RANK": "1", "MASTER_PORT": "1"},
        {"SLURM_PROCID": "3", "SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"},
    ],
)
def test_a_rank_in_the_environment_makes_no_single_training_another_process(
    attempt, whole, tmp_path, environment
):
    done = attempt(tmp_path, **environment)
    assert done.returncode == 0, done.stderr
    assert_same_bytes(tmp_path / "output", whole)


def test_a_starting_training_clears_what_killed_ones_left(attempt, killed, whole, tmp_path):
    shutil.copytree(killed, tmp_path / "study")
    state = state_of(tmp_path / "study")
    shutil.copytree(state, state.with_name("0123456789abcdef"))
    (state / ".last.01234567.ckpt").write_bytes(b"half")
    done = attempt(tmp_path / "study")
    assert done.returncode == 0, done.stderr
    assert "resuming from" in done.stdout
    assert [path.name for path in state.parent.iterdir()] == [".lock"]
    assert_same_bytes(tmp_path / "study" / "output", whole)
