"""Phase 3: regression of a challenge's target from the encoder's tokens."""

from collections.abc import Iterable
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import Tensor, nn

from cerebro.config import FinetunePhase, Target
from cerebro.data.modules import FinetuneDataModule
from cerebro.errors import UserError
from cerebro.models.predictor import Predictor
from cerebro.phases.base import PhaseModule
from cerebro.phases.job import PhaseJob

PLAUSIBLE: dict[Target, tuple[float, float]] = {"reaction_time": (0.0, 2.4), "externalizing": (-3.0, 5.0)}
"""Bounds of an answer: the contrast change task accepts presses for 2.4 s after the target; the bifactor
scores of HBN are about standard normal with a right tail."""


class FinetuneModule(PhaseModule):
    """Mean squared error of the standardised target, which also selects on validation subjects."""

    model: Predictor
    phase: FinetunePhase

    def card(self) -> dict[str, Any]:
        """The predictor's architecture and its target."""
        return {"predictor": self.model.architecture, "target": self.phase.target}

    def callbacks(self) -> list[L.Callback]:
        """The moving average of the weights, if one is asked for."""
        decay = self.phase.weight_average
        return [EMAWeightAveraging(decay=decay)] if decay else []

    def parameter_groups(self) -> Iterable[tuple[Iterable[tuple[str, nn.Parameter]], float]]:
        """Encoder and head with learning rates of their own."""
        yield self.model.encoder.named_parameters(), self.phase.encoder_learning_rate
        yield self.model.head.named_parameters(), self.phase.learning_rate

    def train(self, mode: bool = True) -> "FinetuneModule":
        """Set the mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.phase.encoder_learning_rate == 0:
            self.model.encoder.eval()
        return self

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Mean squared error in units of the training variance."""
        predicted = self.model.standardised(batch["signal"], batch["positions"]).squeeze(-1)
        truth = (batch[self.phase.target] - self.model.mean) / self.model.deviation
        loss = (predicted.float() - truth).square().mean()
        if not self.training:
            self.predictions.append(torch.stack((predicted.float(), truth)).cpu())
        return {"loss": loss}

    def on_validation_epoch_start(self) -> None:
        """Forget the predictions of the last epoch."""
        self.predictions: list[Tensor] = []

    def on_validation_epoch_end(self) -> None:
        """Log the challenge's NRMSE over all validation windows."""
        predicted, truth = torch.cat(self.predictions, dim=1)
        spread = truth.std(correction=0)
        if spread > 0:
            error = (predicted - truth).square().mean().sqrt()
            self.log("val/nrmse", error / spread, sync_dist=True)


def build(job: PhaseJob) -> tuple[FinetuneModule, FinetuneDataModule]:
    """Module and data of a finetune phase."""
    phase = job.phase
    assert isinstance(phase, FinetunePhase)
    train = job.windows("train")
    values = train[phase.target].to_numpy(np.float64)
    if values.std() == 0:
        raise UserError(f"phase '{job.node}': all {len(values)} training windows have one {phase.target}")
    low, high = PLAUSIBLE[phase.target]
    encoder = job.encoder()
    predictor = Predictor(
        encoder,
        mean=float(values.mean()),
        deviation=float(values.std()),
        low=low,
        high=high,
        n_patches=encoder.course_patches(int(train["length"].iloc[0]))
        if phase.target == "reaction_time"
        else None,
        dropout=phase.head_dropout,
    )
    if phase.encoder_learning_rate == 0:
        predictor.encoder.requires_grad_(False)
    data = FinetuneDataModule(
        train,
        job.windows("validation"),
        shards=job.shards,
        phase=phase,
        compute=job.compute,
        labels=[phase.target],
    )
    return FinetuneModule(predictor, phase), data
