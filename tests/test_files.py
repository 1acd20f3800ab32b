"""Files are whole or absent, whatever happens to their writers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from cerebro.errors import UserError
from cerebro.files import atomic_path

WRITE = """
import sys
from pathlib import Path
from cerebro.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    print(temporary, flush=True)
    sys.stdin.read()
    temporary.write_bytes(b"whole")
"""


def writer(path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a temporary file until its standard input closes; and that file."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_writer_left_goes_when_another_starts_and_what_a_living_one_writes_stays(tmp_path):
    dead, left = writer(tmp_path / "hbn-0.npy")
    dead.kill()
    dead.communicate()
    alive, kept = writer(tmp_path / "hbn-1.npy")
    assert not left.exists()
    with atomic_path(tmp_path / "hbn-2.npy") as temporary:
        temporary.write_text("other")
        assert kept.exists()
    alive.communicate()
    assert alive.returncode == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "hbn-1.npy": "whole",
        "hbn-2.npy": "other",
    }


@pytest.mark.parametrize("name", [".git", ".lock", "notes.0123abcd.txt", ".hidden.txt", ".x.0123ABCD.npy"])
def test_other_files_are_never_taken_for_leftovers(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with atomic_path(tmp_path / "table.csv") as temporary:
        temporary.write_text("")
    assert (tmp_path / name).read_text() == "mine"


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyError), atomic_path(path) as temporary:  # noqa: PT012
        temporary.write_text("new")
        raise KeyError("a bug")
    assert [one.name for one in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


WRITERS = {
    "json": lambda path: path.write_bytes(bytes(2**20)),
    "npy": lambda path: np.save(path, np.zeros(2**20)),
    "csv": lambda path: pd.DataFrame(np.zeros((2**15, 8))).to_csv(path),
    "parquet": lambda path: pd.DataFrame(np.random.default_rng(0).random((2**15, 8))).to_parquet(path),
    "safetensors": lambda path: save_file({"a": torch.zeros(2**20)}, path),
}


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A disk of 256 kB."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs the right to mount (root)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_said_in_one_sentence_and_leaves_the_old_file(small_disk, kind):
    """Libraries tell it each in their own way, some not at all."""
    path = small_disk / f"result.{kind}"
    path.write_text("old")
    with (
        pytest.raises(UserError, match=f"result.{kind} could not be written: no space left"),
        atomic_path(path) as temporary,
    ):
        WRITERS[kind](temporary)
    assert path.read_text() == "old"
    assert [one.name for one in small_disk.iterdir()] == [path.name]
    path.unlink()
