import math

import lightning as L
import pytest
import torch

from cerebro.data.card import load_tokenizer
from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.models.transformer import TransformerBlock
from cerebro.phases.tokenizer import build


def test_the_losses_of_the_first_ten_steps_are_golden(ten_losses):
    assert ten_losses("tokenizer", epochs=2, steps_per_epoch=5) == pytest.approx(
        [2.0119, 1.853, 1.791, 1.7382, 1.6983, 1.7001, 1.6834, 1.6749, 1.6764, 1.664], rel=1e-3
    )


def test_use_of_the_codebook_is_what_validation_windows_use_of_the_finished_one(trained, job):
    metrics = read_json(trained["tokenizer"] / "metrics.json")
    tokenizer = load_tokenizer(trained["tokenizer"])
    _, data = build(job("tokenizer"))
    counts = torch.zeros(16)
    for batch in data.val_dataloader():
        codes, present = tokenizer.tokenize(batch["signal"], batch["positions"])
        counts += torch.bincount(codes[present], minlength=16)
    assert counts.sum() > 1000
    share = counts / counts.sum()
    assert metrics["val/used_share"] == pytest.approx((counts > 0).float().mean().item())
    assert metrics["val/perplexity"] == pytest.approx(
        math.exp(-sum(float(one) * math.log(one) for one in share if one)), rel=1e-4
    )
    assert metrics["val/used_share"] > 0.5
    codes = tokenizer.quantizer.codes
    torch.testing.assert_close(codes.norm(dim=1), torch.ones(16))
    assert (codes @ codes.T - torch.eye(16)).max() < 0.9999  # sixteen codes, not one sixteen times


def test_the_codebook_starts_from_what_the_encoder_makes_of_windows_without_dropout(job):
    """And training goes on with it."""
    module, data = build(job("tokenizer", start_batches=2))
    expected = module.eval().start_vectors(data)
    for part in module.modules():
        if isinstance(part, TransformerBlock):
            part.dropout = 0.5
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.5
    module.train()
    torch.testing.assert_close(module.start_vectors(data), expected)
    assert all(part.training for part in module.model.modules())


def test_a_codebook_that_uses_too_few_codes_is_an_error(train):
    with pytest.raises(UserError, match="codebook collapsed"):
        train("tokenizer", "collapsed", codes=512, min_used_share=1.0)


def test_the_codebook_starts_from_as_many_batches_as_configured(job):
    module, data = build(job("tokenizer", start_batches=6, steps_per_epoch=10))
    expected = []
    for number, batch in enumerate(data.train_dataloader()):
        if number < 6:
            expected.append(module.model.vectors(batch["signal"], batch["positions"]))
    found = module.start_vectors(data)
    every = torch.cat(expected)
    assert len(found) == min(len(every), 6 * -(-64 * 16 // 6))
    nearest = torch.cdist(found, every).argmin(dim=1)
    lengths = torch.tensor([len(part) for part in expected])
    batch_of = torch.repeat_interleave(torch.arange(6), lengths)[nearest]
    assert batch_of.unique().tolist() == list(range(6))


def test_the_codebook_starts_once_and_from_an_encoder_that_has_learned(job, tmp_path):
    """Not before its epoch; at its epoch also where a training is resumed there; and never again."""
    seen = {}

    class Look(L.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, step):
            seen[trainer.global_step] = module.model.quantizer.codes.clone()

    def fit(epochs: int, checkpoint=None) -> L.Trainer:
        L.seed_everything(0, verbose=False)
        module, data = build(job("tokenizer", epochs=4, start_epoch=2, steps_per_epoch=3))
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            callbacks=[Look()],
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        trainer.save_checkpoint(tmp_path / f"{epochs}.ckpt")
        return trainer

    fit(epochs=4)
    whole = dict(seen)
    assert torch.equal(whole[1], whole[6])
    assert (whole[6] * whole[7]).sum(dim=1).mean() < 0.9
    assert (whole[9] * whole[10]).sum(dim=1).mean() > 0.9
    fit(epochs=2)
    seen.clear()
    fit(epochs=4, checkpoint=tmp_path / "2.ckpt")
    assert list(seen) == [7, 8, 9, 10, 11, 12]
    for step, codes in seen.items():
        torch.testing.assert_close(codes, whole[step], atol=1e-4, rtol=1e-4)
