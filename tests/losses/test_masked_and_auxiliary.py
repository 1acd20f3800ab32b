import numpy as np
import pytest
import torch

from cerebro.losses.auxiliary import AuxiliaryTaskLoss
from cerebro.losses.masked import masked_code_loss, random_masks


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
    result = masked_code_loss(logits, codes, scored)
    assert result["loss"].item() == pytest.approx(expected, rel=1e-5)
    assert result["accuracy"].item() == pytest.approx((rows.argmax(1) == codes[scored].numpy()).mean())


def test_auxiliary_loss_equals_a_hand_calculation_over_known_labels():
    nan = float("nan")
    predictions = {"age": torch.tensor([0.0, 1.0, 2.0]), "sex": torch.tensor([0.0, 3.0, 0.0])}
    labels = {"age": torch.tensor([1.0, nan, 4.0]), "sex": torch.tensor([nan, 1.0, nan])}
    losses = AuxiliaryTaskLoss({"age": 1.0, "sex": 0.5})(predictions, labels)
    assert losses["age"].item() == pytest.approx((1 + 4) / 2)
    assert losses["sex"].item() == pytest.approx(np.log1p(np.exp(-3)), rel=1e-5)
    assert losses["loss"].item() == pytest.approx(2.5 + 0.5 * np.log1p(np.exp(-3)), rel=1e-5)


def test_a_batch_without_any_label_gives_loss_zero_and_finite_gradients():
    prediction = torch.randn(4, requires_grad=True)
    loss = AuxiliaryTaskLoss({"age": 1.0, "sex": 0.5})(
        {"age": prediction, "sex": prediction},
        {"age": torch.full((4,), torch.nan), "sex": torch.full((4,), torch.nan)},
    )["loss"]
    loss.backward()
    assert loss.item() == 0
    assert (prediction.grad == 0).all()
