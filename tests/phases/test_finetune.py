"""Phase 3 in process: what is frozen, how fast layers learn, what the losses are, what predictions become."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch import Tensor

from cerebro.config import Compute, EncoderSettings
from cerebro.data.card import random_encoder
from cerebro.errors import UserError
from cerebro.phases.job import PhaseJob
from cerebro.phases.regression import RegressionModule
from cerebro.phases.shrinkage import shrinkage
from cerebro.phases.supervised import build
from cerebro.phases.transition import adapt_by_low_rank, layer_groups

SHORT = {"kind": "finetune", "target": "reaction_time", "steps_per_epoch": 2, "batch_size": 8}
ENCODER = {"dim": 16, "depth": 2, "heads": 2, "dropout": 0.1}
FACTORS = ("age", "sex", "internalizing")


@pytest.fixture
def start(study, declared) -> Callable[..., tuple[RegressionModule, Any]]:
    """Module and data of a phase with the given settings, from a random encoder of two blocks."""

    def started(**settings: Any) -> tuple[RegressionModule, Any]:
        torch.manual_seed(0)
        phase = {**SHORT, **settings}
        if phase["target"] == "externalizing":
            phase["windows"] = "crop"
        job = PhaseJob.parse(
            "node",
            {"phase": phase, "labels": declared(phase), "encoder": ENCODER, "lineage": ["node"]},
            index=study.index,
            parents={},
            compute=Compute(accelerator="cpu", threads=1),
        )
        return build(job)

    return started


class Watcher(L.Callback):
    """Keeps losses, the encoder's mode in every step, and its weights after every epoch."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.modes: list[set[bool]] = []
        self.weights: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer, module, outputs, batch, step) -> None:
        self.losses.append(float(outputs["loss"]))
        self.modes.append({part.training for part in module.model.encoder.modules()})

    def on_train_epoch_end(self, trainer, module) -> None:
        self.weights.append({k: v.clone() for k, v in module.model.encoder.state_dict().items()})


def fit(module: RegressionModule, data: Any, **options: Any) -> Watcher:
    watcher = Watcher()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=module.phase.epochs,
        gradient_clip_val=module.phase.clip_norm,
        callbacks=[*module.callbacks(), watcher],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
    trainer.fit(module, datamodule=data)
    return watcher


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


def test_a_frozen_encoder_is_bit_equal_and_in_evaluation_mode_until_it_thaws_and_then_changes(start):
    module, data = start(epochs=4, freeze_epochs=2, encoder_learning_rate=1e-2, weight_decay=0.5)
    before = {key: value.clone() for key, value in module.model.encoder.state_dict().items()}
    head = module.model.head.regression.weight.clone()
    watcher = fit(module, data)
    assert [equal(before, weights) for weights in watcher.weights] == [True, True, False, False]
    # The study's electrodes stand alone in their cells, where the adapter has nothing to weigh.
    trained = [k for k, _ in module.model.encoder.named_parameters() if not k.startswith("adapter.")]
    assert not any(torch.equal(before[k], watcher.weights[2][k]) for k in trained)
    assert not torch.equal(head, module.model.head.regression.weight)
    assert watcher.modes == [{False}] * 4 + [{True}] * 4


def test_an_encoder_without_a_learning_rate_is_frozen_all_through(start):
    module, data = start(epochs=2, encoder_learning_rate=0, objective="distribution")
    before = {key: value.clone() for key, value in module.model.encoder.state_dict().items()}
    watcher = fit(module, data)
    assert equal(before, watcher.weights[-1])
    assert watcher.modes == [{False}] * 4


def test_low_rank_updates_leave_every_weight_of_the_encoder_as_it_was_until_they_are_merged(start):
    module, data = start(
        epochs=2, low_rank=2, encoder_learning_rate=1e-2, weight_average=0.5, objective="distribution"
    )
    before = {key: value.clone() for key, value in module.model.encoder.state_dict().items()}
    watcher = fit(module, data)
    after = watcher.weights[-1]
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved
    assert {key.rpartition(".")[2] for key in moved} <= {"up", "down"}
    batch = data.validation[[0, 1, 2]]
    with torch.inference_mode():
        adapted = module.eval().model.standardised(batch["signal"], batch["positions"])
    module.finish(data, candidates=1)
    plain, _ = start()
    assert set(module.model.encoder.state_dict()) == set(plain.model.encoder.state_dict())
    with torch.inference_mode():
        merged = module.model.standardised(batch["signal"], batch["positions"])
    torch.testing.assert_close(merged, adapted)


def test_too_large_a_rank_is_a_sentence(start):
    with pytest.raises(UserError, match=r"phase 'node': low_rank: no linear layer is larger than the rank"):
        start(low_rank=64)


def test_learning_rates_fall_from_layer_to_layer_towards_the_input(start):
    module, _ = start(encoder_learning_rate=1.0, layer_decay=0.5)
    encoder = module.model.encoder
    names = {id(parameter): name for name, parameter in encoder.named_parameters()}
    rates = {
        names[id(parameter)]: rate
        for parameters, rate in layer_groups(encoder, 1.0, 0.5)
        for parameter in parameters
    }
    assert set(rates) == set(names.values())
    assert rates["norm.weight"] == 1.0
    assert rates["blocks.1.query_key_value.weight"] == 0.5
    assert rates["blocks.0.query_key_value.weight"] == 0.25
    assert rates["patch_embedding.layers.0.weight"] == rates["adapter.queries"] == 0.125
    optimizer = module.configure_optimizers()["optimizer"]
    assert {group["initial_lr"] for group in optimizer.param_groups} == {1.0, 0.5, 0.25, 0.125, 5e-4}


@pytest.mark.parametrize("depth", [1, 2])
def test_low_rank_updates_learn_at_the_rates_of_their_layers(depth):
    encoder = random_encoder(EncoderSettings(dim=16, depth=depth, heads=2), seed=0)
    adapt_by_low_rank(encoder, 2, node="node")
    names = {id(parameter): name for name, parameter in encoder.named_parameters()}
    rates: dict[str, set[float]] = {}
    for parameters, rate in layer_groups(encoder, 1.0, 0.5):
        for parameter in parameters:
            layer = names[id(parameter)].split(".")
            rates.setdefault(".".join(layer[:2]) if layer[0] == "blocks" else "below", set()).add(rate)
    expected = {f"blocks.{block}": {0.5 ** (depth - 1 - block)} for block in range(depth)}
    assert rates == {**expected, "below": {0.5**depth}}


def test_a_thawed_encoder_warms_up_from_its_own_start(start):
    module, _ = start(
        epochs=10, steps_per_epoch=10, freeze_epochs=5, encoder_learning_rate=1e-3, learning_rate=1e-3
    )
    configured = module.configure_optimizers()
    optimizer, scheduler = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    head, encoder = [], []
    for _ in range(100):
        head.append(optimizer.param_groups[0]["lr"])
        encoder.append(optimizer.param_groups[-1]["lr"])
        optimizer.step()
        scheduler.step()
    assert encoder[:50] == [0.0] * 50
    np.testing.assert_allclose(encoder[50:60], np.array(head[50:60]) * np.arange(1, 11) / 10)
    np.testing.assert_allclose(encoder[60:], head[60:])


GOLDEN = {
    "mse": (
        {"objective": "mse", "jitter_seconds": 0.2},
        [0.8522, 1.06672, 1.20111, 0.83183, 1.50258, 1.17493, 1.27752, 1.04198, 1.61631, 0.54203],
    ),
    "huber": (
        {"objective": "huber", "layer_decay": 0.65, "freeze_epochs": 2},
        [0.36738, 0.47783, 0.47446, 0.36328, 0.55589, 0.54573, 0.54023, 0.33013, 0.54829, 0.38956],
    ),
    "distribution": (
        {"objective": "distribution", "jitter_seconds": 0.5, "channel_drop": 0.1},
        [2.77975, 2.78904, 2.82509, 2.80667, 3.21606, 2.71053, 2.92783, 2.98694, 2.89534, 2.39291],
    ),
    "direct": (
        {"target": "externalizing"},
        [0.6455, 1.04864, 1.13818, 0.42358, 1.87231, 1.10727, 0.98657, 1.41666, 0.84516, 0.64609],
    ),
    "factors": (
        {"target": "externalizing", "through": FACTORS},
        [1.21512, 1.0515, 0.97602, 1.13439, 0.90939, 0.85018, 0.93396, 0.86423, 1.0147, 1.31754],
    ),
}
"""Losses of ten steps. Others mean that training has changed: replace them only if that was the purpose."""


@pytest.mark.parametrize("name", GOLDEN)
def test_the_losses_of_ten_steps_are_the_known_ones(start, name):
    settings, expected = GOLDEN[name]
    module, data = start(epochs=5, learning_rate=5e-3, encoder_learning_rate=1e-3, **settings)
    losses = fit(module, data).losses
    print(name, [round(loss, 5) for loss in losses])
    assert losses == pytest.approx(expected, rel=2e-3)


def test_externalizing_by_way_of_factors_is_their_ridge_regression_over_subjects(start, study):
    module, data = start(target="externalizing", through=FACTORS)
    table = study.table.query("kind == 'crop' and split == 'train'").groupby("subject").first()
    factors = table[list(FACTORS)].replace({"male": 0.0, "female": 1.0}).astype(float)
    factors = (factors - factors.mean()) / factors.std(ddof=0)
    target = (table["externalizing"] - module.model.mean) / module.model.deviation
    slopes = module.model.head.slopes.numpy()
    centred = factors.to_numpy() - factors.to_numpy().mean(axis=0)
    # Ridge's normal equations hold for one of the penalties.
    residual = target - target.mean() - centred @ slopes
    penalties = (centred.T @ residual) / slopes
    assert penalties == pytest.approx(penalties.mean(), rel=1e-3)
    batch = data.validation[list(range(6))]
    module.model.head.factors.regression.bias.data.copy_(torch.tensor([1.0, 0.0, -1.0]))
    answer = module.eval().model.standardised(batch["signal"], batch["positions"])
    torch.testing.assert_close(answer, torch.full((6, 1), float(slopes[0] - slopes[2])))


def test_a_missing_factor_takes_no_part_in_the_loss(start):
    module, data = start(target="externalizing", through=FACTORS)
    batch = data.train[[0, 1]]
    batch["age"][0] = float("nan")
    predicted = torch.zeros(2, 3, requires_grad=True)
    module.factors.loss(predicted, batch).backward()
    assert predicted.grad[0, 0] == 0
    assert predicted.grad.isfinite().all()
    batch |= {name: torch.full((2,), float("nan")) for name in FACTORS}
    assert module.factors.loss(predicted, batch) == 0


def test_predictions_keep_what_validation_subjects_confirm_of_their_distance_from_the_mean(start, study):
    module, data = start(epochs=3, target="externalizing", learning_rate=1e-2)
    fit(module, data)
    rows = list(range(len(data.validation)))
    batch = data.validation[rows]
    with torch.inference_mode():
        own = module.eval().model.standardised(batch["signal"], batch["positions"]).squeeze(1)
    truth = (batch["externalizing"] - module.model.mean) / module.model.deviation
    factor = shrinkage(own, truth, data.validation.table["subject"], candidates=2)
    (found,) = module.finish(data, candidates=2).values()
    assert found == pytest.approx(factor, rel=1e-4)
    everyone = study.table.query("kind == 'crop' and split != 'test'")["externalizing"].mean()
    answers = module.model(batch["signal"], batch["positions"]).squeeze(1)
    torch.testing.assert_close(answers, float(everyone) + found * module.model.deviation * own)


def test_a_model_that_points_the_wrong_way_keeps_less_than_one_that_points_the_right_way(start, study):
    module, data = start(epochs=1, target="externalizing")
    batch = data.validation[list(range(len(data.validation)))]
    head = module.model.head
    torch.nn.init.normal_(head.regression.weight, std=0.1)
    with torch.inference_mode():
        own = module.eval().model.standardised(batch["signal"], batch["positions"]).squeeze(1)
        truth = (batch["externalizing"] - module.model.mean) / module.model.deviation
        head.regression.weight *= torch.sign((own * truth).sum())
    right = module.finish(data, candidates=1)["shrinkage"]
    with torch.inference_mode():
        head.regression.weight *= -1
    wrong = module.finish(data, candidates=1)["shrinkage"]
    assert 0 < wrong < right < 1


def test_a_head_that_says_nothing_answers_the_mean_of_all_who_are_not_scored(start, study):
    module, data = start(epochs=1, target="externalizing")
    batch = data.validation[list(range(len(data.validation)))]
    torch.nn.init.zeros_(module.model.head.regression.weight)
    torch.nn.init.zeros_(module.model.head.regression.bias)
    assert module.finish(data, candidates=1) == {"shrinkage": 0.0}
    assert module.model.answers_constant
    everyone = study.table.query("kind == 'crop' and split != 'test'")["externalizing"].mean()
    answers = module.model(batch["signal"], batch["positions"])
    torch.testing.assert_close(answers, torch.full_like(answers, float(everyone)))


def test_predictions_may_be_left_as_they_are(start):
    module, data = start(epochs=1, target="externalizing", shrink=False)
    assert module.finish(data, candidates=1) == {}
    assert module.model.shrinkage == 1.0


def bin_shares(head: Any, seconds: np.ndarray, jitter: float, width: float) -> Tensor:
    """Share of each bin among windows moved by every hundredth of a second up to the jitter."""
    edges = np.append(head.centres - 0.05, head.centres[-1] + 0.05)
    edges[0], edges[-1] = -np.inf, np.inf  # times beyond the bins count as the nearest
    moved = (seconds[:, None] + np.arange(-jitter, jitter + 0.005, 0.01)).ravel()
    smooth = moved[:, None] + width * np.linspace(-3, 3, 61)
    weight = np.broadcast_to(np.exp(-0.5 * np.linspace(-3, 3, 61) ** 2), smooth.shape)
    counts, _ = np.histogram(smooth, edges, weights=weight)
    return torch.from_numpy(counts / counts.sum()).float()


def test_the_exported_head_has_the_prior_of_windows_as_they_are_scored(start, study):
    """Training moves windows and learns the smeared prior; the head that is kept must not answer by it."""
    module, data = start(epochs=2, objective="distribution", jitter_seconds=0.5, learning_rate=1e-2)
    head = module.model.head
    seconds = data.train.table["reaction_time"].to_numpy()
    smeared, nominal = (bin_shares(head, seconds, jitter, 0.1) for jitter in (0.5, 0.0))
    torch.testing.assert_close(head.bias.softmax(0).detach(), smeared, atol=0.02, rtol=0)
    assert (smeared - nominal).abs().max() > 0.03
    fit(module, data)
    before = head.bias.detach().clone()
    module.finish(data, candidates=1)
    likely = nominal > 0.03
    moved = (head.bias.detach() - before)[likely]
    expected = (nominal.log() - smeared.log())[likely]
    torch.testing.assert_close(moved - moved.mean(), expected - expected.mean(), atol=0.25, rtol=0)
    again = head.bias.detach().clone()
    module.finish(data, candidates=1)
    torch.testing.assert_close(head.bias.detach(), again, msg="the prior is corrected once")


def test_validation_and_the_exported_head_answer_alike(start):
    module, data = start(epochs=2, objective="distribution", jitter_seconds=0.5, shrink=False)
    fit(module, data)
    torch.nn.init.normal_(module.model.head.evidence.weight, std=0.1)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (during,) = trainer.validate(module, datamodule=data, verbose=False)
    module.finish(data, candidates=1)
    (after,) = trainer.validate(module, datamodule=data, verbose=False)
    assert during == pytest.approx(after, rel=1e-5)
    table = data.validation.table
    batch = data.validation[list(range(len(table)))]
    with torch.inference_mode():
        answers = module.eval().model(batch["signal"], batch["positions"]).squeeze(1).numpy()
    error = answers - table["reaction_time"].to_numpy()
    assert after["val/nrmse"] == pytest.approx(
        np.sqrt(np.mean(error**2)) / table["reaction_time"].std(ddof=0), rel=1e-4
    )


def test_windows_that_are_not_moved_leave_the_prior_as_it_is(start):
    module, data = start(epochs=1, objective="distribution")
    before = module.model.head.bias.detach().clone()
    module.finish(data, candidates=1)
    torch.testing.assert_close(module.model.head.bias.detach(), before)


def test_validation_reports_the_squared_error_and_nrmse_of_all_windows(start):
    module, data = start(epochs=2, objective="distribution", learning_rate=1e-2)
    fit(module, data)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    (metrics,) = trainer.validate(module, datamodule=data, verbose=False)
    rows = list(range(len(data.validation)))
    batch = data.validation[rows]
    with torch.inference_mode():
        predicted = module.eval().model.standardised(batch["signal"], batch["positions"]).squeeze(1)
    truth = (batch["reaction_time"] - module.model.mean) / module.model.deviation
    error = (predicted - truth).square().mean()
    assert metrics["val/loss"] == pytest.approx(float(error), rel=1e-4)
    expected = float(error.sqrt() / truth.std(correction=0))
    assert metrics["val/nrmse"] == pytest.approx(expected, rel=1e-4)


TWO_PROCESSES = """
import json, sys
from pathlib import Path
import lightning as L
import torch
from cerebro.config import Compute
from cerebro.phases.job import PhaseJob
from cerebro.phases.supervised import build

settings, index, output = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
for devices in (1, 2):
    torch.manual_seed(0)
    job = PhaseJob.parse("node", settings, index=index, parents={},
                         compute=Compute(accelerator="cpu", devices=devices, threads=1))
    module, data = build(job)
    trainer = L.Trainer(accelerator="cpu", devices=devices, strategy="auto" if devices == 1 else "ddp_fork",
                        max_epochs=3, logger=False, enable_checkpointing=False, num_sanity_val_steps=0,
                        use_distributed_sampler=False, enable_progress_bar=False, enable_model_summary=False)
    class Save(L.Callback):
        def on_train_end(self, trainer, module):
            measured = {name: float(value) for name, value in trainer.callback_metrics.items()}
            state = {key: value.clone() for key, value in module.model.state_dict().items()}
            torch.save({"metrics": measured, "state": state}, output / f"{devices}_{trainer.global_rank}.pt")
    trainer.callbacks.append(Save())
    trainer.fit(module, datamodule=data)
"""


@pytest.mark.slow
def test_two_processes_freeze_thaw_and_validate_as_one_does(study, declared, tmp_path):
    """DDP waits for a gradient of every parameter, those of a frozen encoder included."""
    phase = {**SHORT, "epochs": 3, "freeze_epochs": 1, "encoder_learning_rate": 1e-3, "head_dropout": 0.0}
    encoder = {**ENCODER, "dropout": 0.0}
    settings = {"phase": phase, "labels": declared(phase), "encoder": encoder, "lineage": ["node"]}
    arguments = [json.dumps(settings), str(study.index), str(tmp_path)]
    subprocess.run(
        [sys.executable, "-c", TWO_PROCESSES, *arguments],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    one, *ranks = (torch.load(tmp_path / name, weights_only=True) for name in ("1_0.pt", "2_0.pt", "2_1.pt"))
    for rank in ranks:
        for key, value in one["state"].items():
            torch.testing.assert_close(rank["state"][key], value, atol=1e-4, rtol=1e-3)
        assert rank["metrics"]["val/nrmse"] == pytest.approx(one["metrics"]["val/nrmse"], rel=1e-3)
