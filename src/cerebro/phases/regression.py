"""Phase 3 for a number: regression, plain, by way of factors, or as a distribution over times."""

from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from cerebro.config import EventLabel, FinetunePhase, Label
from cerebro.data.modules import FinetuneDataModule
from cerebro.errors import UserError
from cerebro.models.low_rank import merge_low_rank
from cerebro.models.predictor import Predictor
from cerebro.models.regression import FactorHead, ResponseHead
from cerebro.phases.factors import Factors
from cerebro.phases.finetune import FinetuneModule, freeze
from cerebro.phases.job import PhaseJob
from cerebro.phases.shrinkage import shrinkage
from cerebro.recordings.montages import layout_positions
from cerebro.shards.store import SFREQ

BIN_SECONDS = 0.1
"""Width of the bins of a distribution over times."""


class RegressionModule(FinetuneModule):
    """Train a predictor; the squared error of the standardised target is what validation looks at.

    Parameters
    ----------
    model : Predictor
    phase : FinetunePhase
    factors : Factors, optional
        Labels predicted on the way, when the target is read from factors.
    to_nominal : Tensor, shape (n_bins,), optional
        Log probability of each bin for windows as they are scored, minus that for windows as training moves
        them. A head trained on moved windows learns their prior; this takes it back.
    """

    model: Predictor
    to_nominal: Tensor | None

    def __init__(
        self,
        model: Predictor,
        phase: FinetunePhase,
        factors: Factors | None = None,
        to_nominal: Tensor | None = None,
    ) -> None:
        super().__init__(model, phase)
        self.factors = factors
        self.register_buffer("to_nominal", to_nominal, persistent=False)

    def card(self) -> dict[str, Any]:
        """The predictor's architecture, its target, and the scale of factors on the way."""
        scales = {} if self.factors is None else {"factors": self.factors.scales}
        return {"predictor": self.model.architecture, "target": self.phase.target, **scales}

    def objective(self, batch: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """Squared error or Huber's, of the target or of factors; cross entropy of a distribution."""
        head = self.model.head
        if isinstance(head, ResponseHead):
            wanted = head.soft_targets(batch[self.phase.target], self.phase.target_width_seconds)
            return F.cross_entropy(head.logits(*inputs), wanted)
        if self.factors is not None and isinstance(head, FactorHead):
            return self.factors.loss(head.factors(*inputs).float(), batch)
        predicted, truth = head(*inputs).squeeze(-1).float(), self._standardised(batch)
        loss = F.huber_loss if self.phase.objective == "huber" else F.mse_loss
        return loss(predicted, truth)

    def _predicted(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Standardised predictions (batch, 1) for windows that were not moved."""
        head = self.model.head
        if isinstance(head, ResponseHead) and self.to_nominal is not None:
            return head.expectation(head.logits(*inputs) + self.to_nominal)
        return head(*inputs)

    def _standardised(self, batch: dict[str, Tensor]) -> Tensor:
        return (batch[self.phase.target] - self.model.mean) / self.model.deviation

    def judge(self, batch: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """Mean squared error in units of the training variance."""
        predicted, truth = self._predicted(inputs).squeeze(-1).float(), self._standardised(batch)
        error, centred = (predicted - truth).double(), truth.double()
        self.sums += torch.stack(
            (error.square().sum(), centred.square().sum(), centred.sum(), torch.ones_like(centred).sum())
        )
        return error.square().mean().float()

    def on_validation_epoch_start(self) -> None:
        """Forget the sums of the last epoch."""
        self.sums = torch.zeros(4, dtype=torch.float64, device=self.device)

    def on_validation_epoch_end(self) -> None:
        """Log NRMSE over all validation windows of all devices."""
        reduced = self.trainer.strategy.reduce(self.sums, reduce_op="sum")
        error, square, total, count = (float(value) for value in reduced)
        variance = square / count - (total / count) ** 2
        if variance > 0:
            self.log("val/nrmse", (error / count / variance) ** 0.5)

    def finish(self, data: L.LightningDataModule, *, candidates: int) -> dict[str, float]:
        """Merge low-rank updates, correct the head's prior, and shrink predictions by validation subjects.

        The prior of moved windows leaves the head's bias for good (prior shift: Saerens, Latinne &
        Decaestecker 2002, Neural Computation 14).

        Every device looks at all validation windows, so that all come to the same result. What predictions
        are shrunk towards is the mean over training and validation windows.
        """
        assert isinstance(data, FinetuneDataModule)
        merge_low_rank(self.model.encoder)
        if isinstance(self.model.head, ResponseHead) and self.to_nominal is not None:
            with torch.no_grad():
                self.model.head.bias.add_(self.to_nominal)
            self.to_nominal = None
        if not self.phase.shrink:
            return {}
        self.eval()
        sampler = data.validation_sampler()
        rows = [sampler.draw(step) for step in range(len(sampler))]
        predicted, truth = [], []
        for chosen in rows:
            batch = {key: value.to(self.device) for key, value in data.validation[chosen].items()}
            with torch.inference_mode():
                answer = self.model.standardised(batch["signal"], batch["positions"])
            predicted.append(answer.squeeze(-1).cpu())
            truth.append(self._standardised(batch).cpu())
        subjects = data.validation.table["subject"].to_numpy()[np.concatenate(rows)]
        factor = shrinkage(torch.cat(predicted), torch.cat(truth), subjects, candidates=candidates)
        labels = pd.concat([part.table[self.phase.target] for part in (data.train, data.validation)])
        self.model.shrinkage, self.model.constant = factor, float(labels.mean())
        print(f"predictions keep {factor:.2f} of their distance from the training mean", flush=True)
        return {"shrinkage": factor}


def build_regression(job: PhaseJob, phase: FinetunePhase) -> tuple[FinetuneModule, FinetuneDataModule]:
    """Module and data of a finetune phase whose target is a number."""
    label, train = job.labels[phase.target], job.windows["train"]
    values = train[phase.target].to_numpy(np.float64)
    if values.std() == 0:
        raise UserError(f"phase '{job.node}': all {len(values)} training windows have one {phase.target}")
    low, high = bounds(label, values)
    encoder = job.encoder()
    mean, deviation = float(values.mean()), float(values.std())
    head: dict[str, Any] = {"kind": "regression", "n_patches": None, "dropout": phase.head_dropout}
    if phase.objective == "distribution":
        assert isinstance(label, EventLabel)
        first = low - phase.jitter_seconds
        head = {
            "kind": "response",
            "dropout": phase.head_dropout,
            "mean": mean,
            "deviation": deviation,
            "first": first,
            "n_bins": round((high + phase.jitter_seconds - first) / BIN_SECONDS),
            "window_start": label.window[0],
            "layout": layout_positions("ten_twenty").tolist(),
            "sfreq": SFREQ,
            "bin_seconds": BIN_SECONDS,
        }
    elif phase.through:
        head = {"kind": "factors", "n_factors": len(phase.through), "dropout": phase.head_dropout}
    elif isinstance(label, EventLabel):
        head["n_patches"] = encoder.course_patches(int(train["length"].iloc[0]))
    predictor = Predictor(encoder, head, mean=mean, deviation=deviation, low=low, high=high)
    factors = to_nominal = None
    if isinstance(predictor.head, ResponseHead):
        nominal, moved = (
            predictor.head.log_prior(
                torch.from_numpy(values).float(), jitter=jitter, width=phase.target_width_seconds
            )
            for jitter in (0.0, phase.jitter_seconds)
        )
        predictor.head.bias.data.copy_(moved)
        to_nominal = nominal - moved
    if isinstance(predictor.head, FactorHead):
        factors = Factors(train, phase.through)
        predictor.head.slopes.copy_(factors.slopes(train, phase.target, mean, deviation))
    freeze(predictor.encoder, phase, node=job.node)
    data = FinetuneDataModule(
        train,
        job.windows["validation"],
        shards=job.shards,
        phase=phase,
        compute=job.compute,
        labels=[phase.target, *phase.through],
    )
    return RegressionModule(predictor, phase, factors, to_nominal), data


def bounds(label: Label, values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest prediction: the label's range, else the training labels' span on either side."""
    if label.range is not None:
        return label.range
    low, high = float(values.min()), float(values.max())
    return low - (high - low), high + (high - low)
