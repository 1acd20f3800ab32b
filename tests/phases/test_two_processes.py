"""Tokenizer and pretraining under DDP: two processes train one model and agree on what they report."""

import json
import math
import os
import subprocess
import sys

import pytest
import torch
from mlflow.tracking import MlflowClient

from cerebro.data.card import load_encoder
from cerebro.tracking import create_store

SHORT = {"epochs": 2, "steps_per_epoch": 3, "batch_size": 12}
SETTINGS = {
    "tokenizer": {"kind": "tokenizer", "codes": 16, "code_dim": 8, "start_epoch": 1, **SHORT},
    "pretrain": {"kind": "pretrain", "target": "signal", "mix": {"hbn": 0.7, "tuh": 0.3}, **SHORT},
}
TRAIN = """
import json, sys
from pathlib import Path
import lightning as L
import torch
from cerebro.config import Compute
from cerebro.phases.job import PhaseJob
from cerebro.phases.run import KINDS

index, output = Path(sys.argv[2]), Path(sys.argv[3])
for node, phase in json.loads(sys.argv[1]).items():
    torch.manual_seed(0)
    settings = {"phase": phase, "encoder": {"dim": 16, "depth": 1, "heads": 2}, "lineage": [node]}
    job = PhaseJob.parse(node, settings, index=index, parents={},
                         compute=Compute(accelerator="cpu", devices=2, threads=1))
    module, data = KINDS[node](job)
    class Save(L.Callback):
        def on_train_end(self, trainer, module):
            measured = {name: float(value) for name, value in trainer.callback_metrics.items()}
            torch.save({"metrics": measured, "state": module.model.state_dict()},
                       output / f"{node}_{trainer.global_rank}.pt")
    L.Trainer(accelerator="cpu", devices=2, strategy="ddp_fork", max_epochs=2, callbacks=[Save()],
              logger=False, enable_checkpointing=False, num_sanity_val_steps=0,
              use_distributed_sampler=False, enable_progress_bar=False, enable_model_summary=False,
              ).fit(module, datamodule=data)
"""


@pytest.fixture(scope="module")
def ranks(study, tmp_path_factory) -> dict[str, list[dict]]:
    """What each process holds at the end, by phase."""
    output = tmp_path_factory.mktemp("two_processes")
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, json.dumps(SETTINGS), str(study.index), str(output)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        node: [torch.load(output / f"{node}_{rank}.pt", weights_only=True) for rank in range(2)]
        for node in SETTINGS
    }


@pytest.mark.parametrize("node", SETTINGS)
def test_both_processes_end_with_the_same_weights_and_codes(ranks, node):
    """DDP shares gradients; the codebook, which has none, is shared by the quantizer itself."""
    first, second = (rank["state"] for rank in ranks[node])
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ("tokenizer", ["val/loss", "val/perplexity", "val/used_share"]),
        ("pretrain", ["val/loss", "val/masked_waveform", "val/age/hbn/mae", "val/age/tuh/mae_floor"]),
    ],
)
def test_both_processes_report_the_measures_of_all_windows(ranks, node, names):
    first, second = (rank["metrics"] for rank in ranks[node])
    for name in names:
        assert first[name] == second[name]
        assert math.isfinite(first[name])


ALLOCATION = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "1"}


def test_the_command_on_two_devices_writes_one_output_and_one_mlflow_run(study, tmp_path):
    """The second process is the same command, started by the first: in an allocation of Slurm, too."""
    create_store(name="two", output=tmp_path / "tracking.json")
    settings = {
        "phase": SETTINGS["tokenizer"],
        "encoder": {"dim": 16, "depth": 1, "heads": 2},
        "lineage": ["tokenizer"],
    }
    compute = {"accelerator": "cpu", "devices": 2, "threads": 1}
    command = ["phase", "--node", "tokenizer", "--settings", json.dumps(settings), "--index", study.index]
    command += ["--tracking", tmp_path / "tracking.json", "--state", tmp_path / "state"]
    command += ["--output", tmp_path / "tokenizer", "--compute", json.dumps(compute)]
    done = subprocess.run(
        [sys.executable, "-m", "cerebro.cli", *map(str, command)],
        env={**os.environ, **ALLOCATION, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stderr
    assert load_encoder(tmp_path / "tokenizer").dim == 16
    history = (tmp_path / "tokenizer" / "history.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in history[1:]] == [["0", "0"], ["1", "3"], ["2", "6"]]
    assert [path.name for path in (tmp_path / "state").iterdir()] == [".lock"]
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("two").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"]
