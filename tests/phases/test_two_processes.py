"""Tokenizer and pretraining under DDP: two processes train one model and agree on what they report."""

import json
import math
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from mlflow.tracking import MlflowClient

from cerebro.data.card import load_encoder
from cerebro.tracking import create_store

pytestmark = pytest.mark.slow
SHORT = {"epochs": 2, "steps_per_epoch": 3, "batch_size": 12}
SETTINGS = {
    "tokenizer": {"kind": "tokenizer", "codes": 16, "code_dim": 8, "start_epoch": 1, **SHORT},
    "pretrain": {
        "kind": "pretrain",
        "target": "signal",
        "mix": {"hbn": 0.7, "tuh": 0.3},
        "auxiliary": {"age": 1.0, "sex": 0.5},
        **SHORT,
    },
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
for node, (phase, labels) in json.loads(sys.argv[1]).items():
    torch.manual_seed(0)
    encoder = {"dim": 16, "depth": 1, "heads": 2}
    settings = {"phase": phase, "labels": labels, "encoder": encoder, "lineage": [node]}
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
def ranks(study, declared, tmp_path_factory) -> dict[str, list[dict]]:
    """What each process holds at the end, by phase."""
    output = tmp_path_factory.mktemp("two_processes")
    given = {node: (phase, declared(phase)) for node, phase in SETTINGS.items()}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, json.dumps(given), str(study.index), str(output)],
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


START = """
import os, signal, sys
from cerebro.cli import main
from cerebro.phases import recorder

record = recorder.Recorder.record
def die(self, trainer, epoch):
    record(self, trainer, epoch)
    if self.run is not None and str(epoch) == os.environ["DIE_AFTER"]:
        os.kill(os.getpid(), signal.SIGKILL)
recorder.Recorder.record = die
sys.exit(main(sys.argv[1:]))
"""


def on_two_devices(study, folder: Path, die_after: str = "") -> subprocess.CompletedProcess[str]:
    """The command, in an allocation of Slurm; it is killed after an epoch, and what it started with it."""
    folder.mkdir(exist_ok=True)
    create_store(name="two", output=folder / "tracking.json")
    (folder / "start.py").write_text(START)
    settings = {
        "phase": SETTINGS["tokenizer"],
        "labels": {},
        "encoder": {"dim": 16, "depth": 1, "heads": 2},
        "lineage": ["tokenizer"],
    }
    compute = {"accelerator": "cpu", "devices": 2, "threads": 1}
    command = ["phase", "--node", "tokenizer", "--settings", json.dumps(settings), "--index", study.index]
    command += ["--tracking", folder / "tracking.json", "--state", folder / "state"]
    command += ["--output", folder / "tokenizer", "--compute", json.dumps(compute)]
    with (folder / "out").open("w+") as out, (folder / "err").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, str(folder / "start.py"), *map(str, command)],
            env={**os.environ, **ALLOCATION, "DIE_AFTER": die_after, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )
        process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        texts = [(folder / name).read_text() for name in ("out", "err")]
    return subprocess.CompletedProcess(command, process.returncode, *texts)


@pytest.fixture(scope="module")
def whole(study, tmp_path_factory) -> Path:
    """The folder of a training on two devices that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    done = on_two_devices(study, folder)
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stderr
    return folder


def test_the_command_on_two_devices_writes_one_output_and_one_mlflow_run(whole):
    """The second process is the same command, started by the first."""
    assert load_encoder(whole / "tokenizer").dim == 16
    history = (whole / "tokenizer" / "history.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in history[1:]] == [["0", "0"], ["1", "3"], ["2", "6"]]
    assert [path.name for path in (whole / "state").iterdir()] == [".lock"]
    client = MlflowClient(f"sqlite:///{whole / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("two").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"]


def test_a_training_on_two_devices_that_was_killed_resumes_and_ends_with_the_same_bytes(
    study, whole, tmp_path
):
    assert on_two_devices(study, tmp_path, die_after="2").returncode == -signal.SIGKILL
    again = on_two_devices(study, tmp_path)
    assert again.returncode == 0, again.stderr
    assert "resuming from" in again.stdout
    assert "epoch    1" not in again.stdout
    for name in ("encoder.safetensors", "head.safetensors", "history.csv"):
        assert (tmp_path / "tokenizer" / name).read_bytes() == (whole / "tokenizer" / name).read_bytes()
