"""Phase 1a: a codebook of EEG patches, learned by predicting each patch's spectrum from its code."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from cerebro.config import TokenizerPhase
from cerebro.data.modules import WindowDataModule
from cerebro.data.streams import torch_seed, torch_stream
from cerebro.errors import UserError
from cerebro.losses.spectrum import spectrum_loss
from cerebro.models.quantizer import perplexity
from cerebro.models.tokenizer import NeuralTokenizer
from cerebro.phases.base import PhaseModule
from cerebro.phases.job import PhaseJob
from cerebro.phases.masked_references import (
    References,
    reference_metrics,
    training_batches,
    validation_batches,
)
from cerebro.phases.masked_targets import SpectrumTarget

START_PER_CODE = 64
"""Vectors for each code that k-means starts from."""


class TokenizerModule(PhaseModule):
    """Vector-quantised neural spectrum prediction (LaBraM, Jiang et al. 2024), in well-posed form."""

    model: NeuralTokenizer
    phase: TokenizerPhase
    counts: Tensor

    def __init__(self, model: NeuralTokenizer, phase: TokenizerPhase) -> None:
        super().__init__(model, phase)
        self.references: dict[str, float] = {}
        self.register_buffer("counts", torch.zeros(phase.codes, dtype=torch.long), persistent=False)

    def card(self) -> dict[str, Any]:
        """The tokenizer's architecture."""
        return {"tokenizer": self.model.architecture}

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Spectral errors, their sum ``reconstruction``, the commitment loss, and all of them together."""
        quantise = not self.training or self.current_epoch >= self.phase.start_epoch
        output = self.model(batch["signal"], batch["positions"], quantise=quantise)
        losses = spectrum_loss(output["prediction"], output["patches"], output["present"])
        if not self.training:
            self.counts += torch.bincount(output["codes"][output["present"]], minlength=len(self.counts))
        reconstruction = losses["amplitude"] + losses["phase"]
        loss = reconstruction + self.phase.commitment * output["commitment"]
        return {"loss": loss, **losses, "reconstruction": reconstruction, "commitment": output["commitment"]}

    def on_train_epoch_start(self) -> None:
        """Start the codebook from what the encoder makes of many batches, once it has learned something."""
        if self.current_epoch == self.phase.start_epoch:
            torch.manual_seed(torch_seed(self.phase.seed, "k-means"))
            data: WindowDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
            self.model.quantizer.start(self.start_vectors(data))

    @torch.no_grad()
    def start_vectors(self, data: WindowDataModule) -> Tensor:
        """As many vectors from each of the first training batches, `START_PER_CODE` for each code in all.

        The model is in evaluation mode meanwhile: dropout would blur what the codes start from.
        """
        generator = torch_stream(self.phase.seed, "start vectors")
        training = self.model.training
        self.model.eval()
        per_batch = -(-START_PER_CODE * self.phase.codes // self.phase.start_batches)
        vectors = []
        for batch in islice(data.train_dataloader(), self.phase.start_batches):
            found = self.model.vectors(batch["signal"].to(self.device), batch["positions"].to(self.device))
            vectors.append(found[torch.randperm(len(found), generator=generator)[:per_batch]])
        self.model.train(training)
        return torch.cat(vectors)

    def on_validation_epoch_start(self) -> None:
        """Forget the code counts of the last epoch; measure once what the errors stand beside."""
        self.counts.zero_()
        if not self.references:
            data: WindowDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
            self.references = self._measure_references(data)

    @torch.no_grad()
    def _measure_references(self, data: WindowDataModule) -> dict[str, float]:
        """Errors of the training windows' mean spectrum, without a phase."""
        target = SpectrumTarget(self.model.measured)
        references = References(target, training_batches(data, self.device), mask_share=0)
        encoder = self.model.encoder

        def everywhere() -> Iterator[tuple[dict[str, Tensor], Tensor]]:
            for batch in validation_batches(data, self.device):
                n_tokens = encoder.n_channels * encoder.n_patches(batch["signal"].shape[-1])
                shape = (2 * len(batch["signal"]), n_tokens)
                yield batch, torch.ones(shape, dtype=torch.bool, device=self.device)

        found = reference_metrics(references, everywhere())
        return {name: value for name, value in found.items() if not name.startswith("loss")}

    def on_validation_epoch_end(self) -> None:
        """Log how much of the codebook validation data use, and the references."""
        self.log_dict({f"val/{name}": value for name, value in self.references.items()}, sync_dist=False)
        gathered = self.all_gather(self.counts)
        assert isinstance(gathered, Tensor)
        counts = gathered.view(-1, len(self.counts)).sum(dim=0)
        used = (counts > 0).float().mean()
        self.log("val/used_share", used, sync_dist=False)
        self.log("val/perplexity", perplexity(counts.float()), sync_dist=False)

    def refuse(self, metrics: dict[str, float]) -> None:
        """Raise ``UserError`` when the trained codebook uses too few codes on validation data."""
        if metrics["val/used_share"] < self.phase.min_used_share:
            raise UserError(
                f"the codebook collapsed: validation windows use {metrics['val/used_share']:.1%} of its "
                f"{self.phase.codes} codes, min_used_share is {self.phase.min_used_share:.1%}; "
                "use fewer codes, more data or a higher learning rate"
            )


def build(job: PhaseJob) -> tuple[TokenizerModule, WindowDataModule]:
    """Module and data of a tokenizer phase."""
    phase = job.phase
    assert isinstance(phase, TokenizerPhase)
    tokenizer = NeuralTokenizer(
        job.encoder(), n_codes=phase.codes, code_dim=phase.code_dim, decay=phase.ema_decay
    )
    data = WindowDataModule(
        job.windows["train"], job.windows["validation"], shards=job.shards, phase=phase, compute=job.compute
    )
    return TokenizerModule(tokenizer, phase), data
