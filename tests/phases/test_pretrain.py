import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from cerebro.data.card import read_card
from cerebro.files import read_json
from cerebro.phases.auxiliary import label_means, label_scales
from cerebro.phases.pretrain import build


def test_the_losses_of_the_first_ten_steps_on_codes_are_golden(ten_losses):
    assert ten_losses("pretrain") == pytest.approx(
        [5.67, 6.4092, 6.6943, 6.6603, 6.1134, 6.1075, 5.5129, 5.3047, 5.8914, 6.2174], rel=1e-3
    )


def test_the_losses_of_the_first_ten_steps_on_spectra_are_golden(ten_losses):
    losses = ten_losses("pretrain", target="spectrum", tokenizer=None)
    assert losses == pytest.approx(
        [5.4657, 6.1487, 6.3255, 6.25, 5.6389, 5.624, 5.043, 4.7913, 5.2755, 5.5733], rel=1e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize("target", ["spectrum", "signal"])
def test_regression_needs_no_tokenizer_and_learns(train, target):
    folder = train("pretrain", f"pretrain_{target}", target=target, tokenizer=None, learning_rate=3e-3)
    history = pd.read_csv(folder / "history.csv")
    assert history["val/masked_loss"].iloc[-1] < history["val/masked_loss"].iloc[0]
    assert read_card(folder)["parents"] == {}


def test_the_card_tells_how_to_read_the_auxiliary_heads(study, trained, labels):
    tasks = {name: labels[name] for name in ("age", "p_factor")}
    rows = study.table.query("kind == 'fixed' and split == 'train'")
    auxiliary = read_card(trained["pretrain"])["auxiliary"]
    for task, scale in label_scales(rows, tasks).items():
        assert auxiliary["scales"][task]["mean"] == pytest.approx(scale.mean)
        assert auxiliary["scales"][task]["deviation"] == pytest.approx(scale.deviation)
        assert auxiliary["scales"][task]["log"] == (task == "age")
    assert auxiliary["training_means"]["age"] == pytest.approx(label_means(rows, tasks)["age"])


def test_errors_of_held_out_subjects_stand_beside_those_of_the_training_mean(study, trained):
    metrics = read_json(trained["pretrain"] / "metrics.json")
    subjects = study.table.groupby(["dataset", "split", "subject"])["age"].first()
    for dataset in ("hbn", "tuh"):
        truth, mean = subjects[dataset, "validation"], subjects[dataset, "train"].mean()
        assert metrics[f"val/age/{dataset}/mae_floor"] == pytest.approx((truth - mean).abs().mean(), rel=1e-5)
        assert 0 < metrics[f"val/age/{dataset}/mae"] < 20
    assert "val/p_factor/hbn/mae" in metrics
    assert not [name for name in metrics if name.startswith("val/p_factor/tuh")]  # TUH has no factors


def test_learned_weights_of_the_auxiliary_tasks_are_kept_with_the_heads(train):
    folder = train("pretrain", "pretrain_learned", auxiliary_weighting="learned", learning_rate=3e-3)
    learned = load_file(folder / "head.safetensors")["auxiliary_loss.log_variance"]
    start = -torch.tensor([2 * 1.0, 0.5, 2 * 1.0, 2 * 0.5, 2 * 0.5, 2 * 0.5]).log()
    assert learned.shape == start.shape
    assert (learned - start).abs().max() > 1e-4


def test_auxiliary_losses_are_means_over_the_windows_that_have_the_label(job):
    """Archives without a label, and children without one, must not make a loss look small."""
    module, data = build(job("pretrain", target="signal", tokenizer=None, batch_size=5))
    labels = data.validation.labels["attention"]
    labels[::3] = torch.nan
    for parameter in module.model.auxiliary.parameters():
        torch.nn.init.zeros_(parameter)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    (found,) = trainer.validate(module, datamodule=data, verbose=False)
    looked_at = torch.tensor(np.concatenate(list(data.validation_sampler())))
    for task in ("attention", "age"):
        label = data.validation.labels[task][looked_at]
        known = module.held_out.scales[task].standardise(label[~label.isnan()])
        assert found[f"val/aux_{task}"] == pytest.approx(known.square().mean().item(), rel=1e-4)
    assert data.validation.labels["attention"].isnan().any()


def test_validation_batches_hold_both_archives(job):
    _, data = build(job("pretrain", target="signal", tokenizer=None, batch_size=12))
    archive = data.validation.table["dataset"].to_numpy()
    drawn = list(data.validation_sampler())
    assert len({tuple(batch) for batch in drawn}) == len(drawn) > 1
    assert all(set(archive[batch]) == {"hbn", "tuh"} for batch in drawn if len(batch) == 12)


def test_no_auxiliary_task_is_a_choice(train):
    folder = train("pretrain", "pretrain_bare", auxiliary={})
    metrics = read_json(folder / "metrics.json")
    assert metrics["val/loss"] == metrics["val/masked_loss"]
    assert not [name for name in metrics if "aux" in name or "age" in name]


@pytest.mark.parametrize("weighting", ["fixed", "learned"])
def test_every_parameter_takes_part_in_the_loss_even_where_no_label_is_known(job, weighting):
    """DDP waits for the gradient of each; and a batch of TUH alone has no factor at all."""
    module, data = build(job("pretrain", target="signal", tokenizer=None, auxiliary_weighting=weighting))
    tuh = [row for row, name in enumerate(data.train.table["dataset"]) if name == "tuh"][:6]
    batch = data.train[tuh]
    assert batch["p_factor"].isnan().all()
    batch["age"] = torch.full_like(batch["age"], torch.nan)
    batch["sex"] = torch.full_like(batch["sex"], torch.nan)
    module.eval()  # outside a trainer there is no step to seed the masks with
    module.held_out.clear()
    batch["subject"] = torch.zeros_like(batch["subject"])
    values = module.evaluate(batch)
    values["loss"].backward()
    assert values["aux_loss"].item() == pytest.approx(0, abs=1e-6)
    for name, parameter in module.model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
