import numpy as np
import pytest
import torch

from cerebro.losses.auxiliary import AuxiliaryTaskLoss
from cerebro.losses.masked import code_loss, random_masks, signal_loss
from cerebro.losses.spectrum import AMPLITUDE_FLOOR, spectrum_loss


def test_masks_hide_exactly_the_share_and_depend_on_the_seed_alone():
    first = random_masks(5, 84, 0.5, torch.Generator().manual_seed(7))
    again = random_masks(5, 84, 0.5, torch.Generator().manual_seed(7))
    assert (first.sum(dim=1) == 42).all()
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])


def test_masked_loss_counts_scored_tokens_only():
    generator = torch.Generator().manual_seed(0)
    logits, codes = torch.randn(2, 6, 5, generator=generator), torch.randint(5, (2, 6), generator=generator)
    scored = torch.rand(2, 6, generator=generator) > 0.5
    rows = logits[scored].double().numpy()
    expected = np.mean(
        [np.log(np.exp(row).sum()) - row[code] for row, code in zip(rows, codes[scored], strict=True)]
    )
    result = code_loss(logits, codes, scored)
    assert result["loss"].item() == pytest.approx(expected, rel=1e-5)
    assert result["accuracy"].item() == pytest.approx((rows.argmax(1) == codes[scored].numpy()).mean())


def test_signal_loss_is_of_each_patchs_own_waveform_and_of_its_level():
    patches = torch.randn(2, 6, 50, generator=torch.Generator().manual_seed(0)) * 3 + 1
    scored = torch.rand(2, 6, generator=torch.Generator().manual_seed(1)) > 0.5
    level = patches.std(dim=-1, correction=0, keepdim=True) + AMPLITUDE_FLOOR
    truth = torch.cat(((patches - patches.mean(dim=-1, keepdim=True)) / level, level.log()), dim=-1)
    right = torch.where(scored.unsqueeze(-1), truth, 99.0)
    assert signal_loss(right, patches, scored)["loss"].item() == pytest.approx(0, abs=1e-8)
    nothing = signal_loss(torch.zeros_like(truth), patches, scored)
    assert nothing["waveform"].item() == pytest.approx(1, rel=1e-6)  # all of the waveform's power
    assert nothing["level"].item() == pytest.approx(level[scored].log().square().mean().item(), rel=1e-4)
    # The loudness of one patch has no say in the weight of its waveform.
    loud = patches * torch.where(scored, 100.0, 1.0).unsqueeze(-1)
    assert signal_loss(torch.zeros_like(truth), loud, scored)["waveform"].item() == pytest.approx(1, rel=1e-6)
    # Nor does the floor make nothing look like something where patches are quiet.
    quiet = signal_loss(torch.zeros_like(truth), 0.02 * patches, scored)
    assert quiet["waveform"].item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("loss", [code_loss, signal_loss, spectrum_loss])
def test_windows_without_a_scored_token_cost_nothing_and_have_finite_gradients(loss):
    shape = {code_loss: (2, 3, 7), signal_loss: (2, 3, 51)}.get(loss, (2, 3, 3, 26))
    prediction = torch.randn(shape, requires_grad=True)
    target = torch.zeros(2, 3, dtype=torch.long) if loss is code_loss else torch.randn(2, 3, 50)
    sum(loss(prediction, target, torch.zeros(2, 3, dtype=torch.bool)).values()).backward()
    assert (prediction.grad == 0).all()


def test_auxiliary_loss_equals_a_hand_calculation_over_known_labels():
    nan = float("nan")
    predictions = {"age": torch.tensor([0.0, 1.0, 2.0]), "sex": torch.tensor([0.0, 3.0, 0.0])}
    labels = {"age": torch.tensor([1.0, nan, 4.0]), "sex": torch.tensor([nan, 1.0, nan])}
    losses = AuxiliaryTaskLoss({"age": 1.0, "sex": 0.5}, classes={"sex": 2})(predictions, labels)
    assert losses["age"].item() == pytest.approx((1 + 4) / 2)
    assert losses["sex"].item() == pytest.approx(np.log1p(np.exp(-3)), rel=1e-5)
    assert losses["loss"].item() == pytest.approx(2.5 + 0.5 * np.log1p(np.exp(-3)), rel=1e-5)


@pytest.mark.parametrize("learned", [False, True])
def test_a_batch_without_any_label_gives_loss_zero_and_finite_gradients(learned):
    prediction = torch.randn(4, requires_grad=True)
    loss = AuxiliaryTaskLoss({"age": 1.0, "sex": 0.5}, classes={"sex": 2}, learned=learned)(
        {"age": prediction, "sex": prediction},
        {"age": torch.full((4,), torch.nan), "sex": torch.full((4,), torch.nan)},
    )["loss"]
    loss.backward()
    assert loss.item() == 0
    assert (prediction.grad == 0).all()


def task_losses(n: int = 40) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    labels = {"age": torch.randn(n, generator=generator), "sex": torch.arange(n).remainder(2).float()}
    predictions = {task: torch.randn(n, generator=generator) for task in labels}
    return predictions, labels


def test_learned_weights_start_as_the_fixed_ones():
    """Up to a constant, which has no gradient."""
    predictions, labels = task_losses()
    weights = {"age": 1.0, "sex": 0.5}
    gradients = []
    for learned in (False, True):
        leaves = {task: value.clone().requires_grad_() for task, value in predictions.items()}
        AuxiliaryTaskLoss(weights, classes={"sex": 2}, learned=learned)(leaves, labels)["loss"].backward()
        gradients.append([leaf.grad for leaf in leaves.values()])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_a_learned_weight_is_the_likelihood_of_a_gaussian_with_that_variance():
    predictions, labels = task_losses()
    loss = AuxiliaryTaskLoss({"age": 1.0}, learned=True)
    torch.nn.init.constant_(loss.log_variance, np.log(2.5))
    expected = torch.nn.GaussianNLLLoss()(predictions["age"], labels["age"], torch.full((40,), 2.5))
    assert loss(predictions, labels)["loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_task_learns_the_variance_of_its_own_errors_and_one_without_labels_learns_nothing():
    predictions, labels = task_losses()
    labels["sex"] = torch.full((40,), torch.nan)
    loss = AuxiliaryTaskLoss({"age": 1.0, "sex": 0.5}, classes={"sex": 2}, learned=True)
    before = loss.log_variance.detach().clone()
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        loss(predictions, labels)["loss"].backward()
        optimizer.step()
    squared = (predictions["age"] - labels["age"]).square().mean()
    assert loss.log_variance[0].exp().item() == pytest.approx(squared.item(), rel=1e-3)
    assert loss.log_variance[1] == before[1]


def test_a_task_of_three_classes_is_the_cross_entropy_of_windows_that_have_it():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(3)).requires_grad_()
    truth = torch.tensor([0.0, 2.0, torch.nan, 1.0, torch.nan])
    losses = AuxiliaryTaskLoss({"state": 0.5}, classes={"state": 3})({"state": logits}, {"state": truth})
    known = ~truth.isnan()
    expected = torch.nn.functional.cross_entropy(logits[known], truth[known].long())
    torch.testing.assert_close(losses["state"], expected)
    torch.testing.assert_close(losses["loss"], 0.5 * expected)
    losses["loss"].backward()
    assert logits.grad.isfinite().all()
    assert not logits.grad[~known].any()
