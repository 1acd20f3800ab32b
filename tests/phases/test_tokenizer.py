import lightning as L
import pytest
import torch

from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.phases.tokenizer import build


def test_the_losses_of_the_first_ten_steps_are_golden(ten_losses):
    assert ten_losses("tokenizer") == pytest.approx(
        [2.0052, 1.9544, 1.8984, 1.8677, 1.8471, 1.8137, 1.7957, 1.7745, 1.7675, 1.7753], rel=1e-3
    )


def test_use_of_the_codebook_is_reported(trained):
    metrics = read_json(trained["tokenizer"] / "metrics.json")
    assert 1 / 16 <= metrics["val/used_share"] <= 1
    assert 1 <= metrics["val/perplexity"] <= 16 * metrics["val/used_share"] + 1e-3


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


def test_a_resumed_training_keeps_its_codebook(job, tmp_path):
    def fit(epochs: int, checkpoint=None):
        module, data = build(job("tokenizer", epochs=epochs))
        trainer = L.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        return module.model.quantizer.codes, trainer

    codes, trainer = fit(epochs=1)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    continued, _ = fit(epochs=2, checkpoint=tmp_path / "last.ckpt")
    assert (codes * continued).sum(dim=1).min() > 0.9  # three steps of moving averages, no second k-means
