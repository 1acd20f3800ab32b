"""Batches read ahead by threads are those of the sampler, and need no shared memory."""

import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from cerebro.data.loading import AHEAD, BatchLoader
from cerebro.data.samplers import ShuffledSampler
from cerebro.data.windows import WindowDataset


@pytest.fixture
def dataset(study) -> WindowDataset:
    return WindowDataset(study.table.query("kind == 'fixed'").reset_index(drop=True), study.shards, ["age"])


def loader(dataset: WindowDataset, threads: int, steps: int = 20) -> BatchLoader:
    sampler = ShuffledSampler(len(dataset), batch_size=8, steps=steps, seed=0)
    return BatchLoader(dataset, sampler, threads=threads, pin=False)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_no_batch(dataset, threads):
    expected = list(loader(dataset, 0))
    found = list(loader(dataset, threads))
    assert len(found) == len(expected) == 20
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_no_more_batches_are_read_than_wait_for_their_turn(dataset, monkeypatch):
    """Nobody wants the whole epoch in memory, and none is read once nobody asks any more."""
    read = []
    whole = WindowDataset.__getitem__
    monkeypatch.setattr(
        WindowDataset, "__getitem__", lambda self, rows: (read.append(1), whole(self, rows))[1]
    )
    batches = iter(loader(dataset, threads=2, steps=100))
    for _ in range(3):
        next(batches)
    batches.close()
    assert 3 <= len(read) <= 3 + 2 * AHEAD + 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("windows_")]


def test_an_error_in_a_thread_ends_the_pass_with_it(dataset):
    dataset._start = np.full(len(dataset), 10**9)
    with pytest.raises(IndexError, match="is not within"):
        list(loader(dataset, threads=2))


TRAIN = """
import sys
from pathlib import Path
import lightning as L
from cerebro.config import Compute
from cerebro.phases.job import PhaseJob
from cerebro.phases.run import KINDS

phase = {"kind": "finetune", "target": "age", "epochs": 2, "steps_per_epoch": 4, "batch_size": 48}
labels = {"age": {"of": "person", "column": "age"}}
encoder = {"dim": 16, "depth": 1, "heads": 2}
settings = {"phase": phase, "labels": labels, "encoder": encoder, "lineage": ["node"]}
job = PhaseJob.parse("node", settings, index=Path(sys.argv[1]), parents={},
                     compute=Compute(accelerator="cpu", threads=1, workers=8))
module, data = KINDS["finetune"](job)
L.Trainer(accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False,
          num_sanity_val_steps=0, use_distributed_sampler=False, enable_progress_bar=False,
          ).fit(module, datamodule=data)
print("trained")
"""


@pytest.mark.slow
def test_eight_workers_train_where_there_is_next_to_no_shared_memory(study):
    """A real one of 64 kB, in a mount namespace of its own: processes that load batches hung there."""
    small = "mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "
    unshare = ["unshare", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*unshare, small + "true"], check=False).returncode:
        pytest.skip("needs the right to mount (root) in a namespace of its own")
    done = subprocess.run(
        [*unshare, small + '"$0" "$@"', sys.executable, "-c", TRAIN, str(study.index)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.endswith("trained\n"), done.stderr
