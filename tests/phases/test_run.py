import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import mlflow
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from cerebro.data.card import load_encoder, load_predictor, load_tokenizer, read_card
from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.phases.selection import SELECTIONS


def test_every_phase_writes_its_contract(trained):
    for node, folder in trained.items():
        assert {path.name for path in folder.iterdir()} == {
            "encoder.safetensors",
            "head.safetensors",
            "card.json",
            "checkpoints.safetensors",
            "metrics.json",
            "history.csv",
        }
        card = read_card(folder)
        assert card["node"] == node
        assert card["lineage"][-1] == node
        assert load_encoder(folder).architecture == card["encoder"]
        history = pd.read_csv(folder / "history.csv")
        assert history["epoch"].tolist() == [0, 1, 2]
        assert history["step"].tolist() == [0, 3, 6]
        best = SELECTIONS[card["kind"]].best(history)
        assert read_json(folder / "metrics.json")["val/loss"] == pytest.approx(best["val/loss"], rel=1e-4)


def test_a_phase_starts_from_its_parents_encoder(trained):
    card = read_card(trained["contrast"])
    n_tensors = len(load_file(trained["pretrain"] / "encoder.safetensors"))
    assert card["transition"] == {"matched": n_tensors, "missing": [], "unexpected": [], "reshaped": []}


def test_state_is_gone_when_a_phase_is_finished_so_that_a_forced_rerun_trains_again(study, trained, train):
    assert [path.name for path in (study.root / "state" / "contrast").iterdir()] == [".lock"]
    before = load_file(trained["contrast"] / "encoder.safetensors")
    again = train("contrast", "contrast_again")
    assert pd.read_csv(again / "history.csv")["step"].iloc[-1] == 6
    after = load_file(again / "encoder.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_another_seed_gives_other_weights(trained, train):
    one = load_file(trained["pretrain"] / "encoder.safetensors")
    other = load_file(train("pretrain", "pretrain_seed", seed=1) / "encoder.safetensors")
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_a_frozen_encoder_stays_bit_equal(trained, train):
    folder = train("reaction_time", "frozen", encoder_learning_rate=0)
    before = load_file(trained["contrast"] / "encoder.safetensors")
    after = load_file(folder / "encoder.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in before)
    moved = load_file(train("reaction_time", "moving", keep="last") / "encoder.safetensors")
    assert any(not torch.equal(before[key], moved[key]) for key in before)


def test_the_predictor_answers_in_seconds_and_never_scores_worse_than_its_start(study, trained):
    predictor = load_predictor(trained["reaction_time"])
    history = pd.read_csv(trained["reaction_time"] / "history.csv")
    metrics = read_json(trained["reaction_time"] / "metrics.json")
    assert metrics["val/loss"] <= history["val/loss"].iloc[0] + 1e-6
    truth = study.table.query("kind == 'reaction_time' and split == 'train'")["reaction_time"]
    assert predictor.mean == pytest.approx(truth.mean())
    assert predictor.deviation == pytest.approx(truth.std(ddof=0))


def test_averaged_weights_are_the_ones_that_were_validated_and_kept(train):
    folder = train("reaction_time", "averaged", weight_average=0.8, learning_rate=1e-2, epochs=4)
    history = pd.read_csv(folder / "history.csv")
    metrics = read_json(folder / "metrics.json")
    assert metrics["val/loss"] == pytest.approx(history["val/loss"].min(), rel=1e-4)
    other = pd.read_csv(train("reaction_time", "not_averaged", learning_rate=1e-2, epochs=4) / "history.csv")
    assert history["val/loss"].iloc[-1] != other["val/loss"].iloc[-1]


def test_the_last_epoch_is_kept_where_validation_is_not_to_choose(train):
    folder = train("reaction_time", "last", keep="last", learning_rate=0.5, epochs=3)
    history = pd.read_csv(folder / "history.csv")
    assert history["val/loss"].idxmin() < 3
    metrics = read_json(folder / "metrics.json")
    assert metrics["kept_epoch"] == 3
    assert metrics["val/loss"] == pytest.approx(history["val/loss"].iloc[-1], rel=1e-4)
    assert metrics["shrinkage"] == read_card(folder)["predictor"]["shrinkage"]


def test_low_rank_updates_are_written_as_plain_weights(trained, train):
    folder = train("externalizing", "low_rank", low_rank=2, keep="last", encoder_learning_rate=1e-2)
    before = load_file(trained["contrast"] / "encoder.safetensors")
    after = load_file(folder / "encoder.safetensors")
    assert set(after) == set(before)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved
    assert all(before[key].ndim == 2 for key in moved)
    assert load_predictor(folder).encoder.architecture == read_card(trained["contrast"])["encoder"]


def test_every_phase_is_an_mlflow_run_that_names_its_parents(study, trained, store):
    client = mlflow.MlflowClient(f"sqlite:///{study.root / 'mlflow.db'}")
    runs = {node: client.get_run(read_card(folder)["mlflow_run_id"]) for node, folder in trained.items()}
    for node, run in runs.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["cerebro.node"] == node
        assert "val/loss" in run.data.metrics
    parent = runs["contrast"].data.tags["cerebro.parent.init"]
    assert parent == runs["pretrain"].info.run_id


def test_a_finished_tokenizer_loads(trained):
    assert load_tokenizer(trained["tokenizer"]).architecture["n_codes"] == 16


def test_a_training_that_diverges_is_refused_and_leaves_no_state_to_go_on_from(study, trained, train):
    with pytest.raises(UserError, match=r"phase 'reaction_time' diverged: .* after epoch 1; lower its"):
        train("reaction_time", "diverged", learning_rate=1e30, keep="last")
    assert [path.name for path in (study.root / "state" / "diverged").iterdir()] == [".lock"]
    assert not (study.root / "phases" / "diverged" / "card.json").exists()
    folder = train("reaction_time", "diverged")
    assert read_json(folder / "metrics.json")["resumed"] == 0


def test_what_other_code_or_another_precision_has_begun_is_not_resumed(job, trained):
    asked = job("contrast")
    settings = {"phase": asked.phase.model_dump(), "lineage": ["contrast"]}
    other = replace(asked, code="another")
    assert asked.fingerprint(settings) != other.fingerprint(settings)
    assert asked.fingerprint(settings) != asked.fingerprint({**settings, "precision": "bf16-mixed"})


KILLED = """
import json, os, signal, sys
from pathlib import Path
from cerebro.config import Compute
from cerebro.phases import recorder, run

def end(*_):
    os.kill(os.getpid(), signal.SIGKILL)

job = json.loads(sys.argv[1])
if job["die_after"] == "training":
    run.write_phase_output = end
elif job["die_after"]:
    record = recorder.Recorder.record
    def die(self, trainer, epoch):
        record(self, trainer, epoch)
        if epoch == job["die_after"]:
            end()
    recorder.Recorder.record = die
run.run_phase(job["node"], job["settings"], index=Path(job["index"]), store=Path(job["store"]),
              parents=job["parents"], state=Path(job["state"]), output=Path(job["output"]),
              compute=Compute(accelerator="cpu", threads=1))
"""


@pytest.mark.slow
@pytest.mark.parametrize("node", ["tokenizer", "pretrain", "contrast", "reaction_time", "externalizing"])
def test_every_kind_of_phase_trains_in_mixed_precision_and_ends_near_single(trained, train, node):
    """bfloat16 on a CPU: other products, the same weights' type, nearly the same losses."""
    mixed = train(node, f"{node}_mixed", precision="bf16-mixed", keep="last")
    single = train(node, f"{node}_single", keep="last")
    losses = [pd.read_csv(folder / "history.csv")["val/loss"] for folder in (mixed, single)]
    assert losses[0].tolist() == pytest.approx(losses[1].tolist(), rel=0.1)
    assert losses[0].tolist() != losses[1].tolist()
    states = [load_file(folder / "encoder.safetensors") for folder in (mixed, single)]
    assert {value.dtype for value in states[0].values()} == {value.dtype for value in states[1].values()}
    assert all(value.isfinite().all() for value in states[0].values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("node", "parent", "changes", "die_after"),
    [
        ("pretrain", "tokenizer", {}, 3),
        (
            "reaction_time",
            "contrast",
            {
                "objective": "distribution",
                "weight_average": 0.9,
                "jitter_seconds": 0.3,
                "channel_drop": 0.1,
                "freeze_epochs": 3,  # thaws just after the training was killed
                "layer_decay": 0.65,
                "keep": "last",
            },
            3,
        ),
        # Over early, for want of progress, and killed before it was written: no epoch may be added to it.
        (
            "reaction_time",
            "contrast",
            {"patience": 1, "learning_rate": 1e-12, "encoder_learning_rate": 0, "keep": "last"},
            "training",
        ),
    ],
)
def test_a_killed_training_resumes_and_ends_like_an_uninterrupted_one(
    study, trained, store, tmp_path, node, parent, changes, die_after
):
    """SIGKILL; the second start continues from the last checkpoint, not from the start."""
    settings = read_card(trained[node])["settings"]
    settings["phase"] = {**settings["phase"], "epochs": 4, **changes}

    def start(state: str, die_after: int | str) -> subprocess.CompletedProcess[str]:
        job = {
            "node": node,
            "settings": settings,
            "index": str(study.index),
            "store": str(store),
            "parents": {"tokenizer" if node == "pretrain" else "init": str(trained[parent])},
            "state": str(tmp_path / state),
            "output": str(tmp_path / f"{state}_output"),
            "die_after": die_after,
        }
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(KILLED), json.dumps(job)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    assert start("killed", die_after=die_after).returncode == -signal.SIGKILL
    second = start("killed", die_after=0)
    assert second.returncode == 0, second.stderr
    assert "resuming" in second.stdout
    assert "epoch    1" not in second.stdout
    assert start("whole", die_after=0).returncode == 0
    histories = [pd.read_csv(tmp_path / f"{name}_output" / "history.csv") for name in ("killed", "whole")]
    pd.testing.assert_frame_equal(*histories, rtol=1e-5)
    assert (len(histories[1]) < 1 + 4) == ("patience" in changes)
    weights = [load_file(tmp_path / f"{name}_output" / "encoder.safetensors") for name in ("killed", "whole")]
    for key in weights[0]:
        torch.testing.assert_close(weights[0][key], weights[1][key])
