"""Phase 1b: masked EEG modelling on a mix of archives, with auxiliary heads for labels."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from cerebro.config import PretrainPhase
from cerebro.data.card import load_tokenizer
from cerebro.data.classes import training_classes
from cerebro.data.modules import MixedDataModule
from cerebro.data.spread import spread
from cerebro.data.streams import torch_stream
from cerebro.errors import UserError
from cerebro.losses.auxiliary import AuxiliaryTaskLoss
from cerebro.losses.masked import random_masks
from cerebro.models.heads import MultiAuxiliaryHead
from cerebro.models.leak import leak
from cerebro.models.masked import MaskedDecoder
from cerebro.models.masking import take
from cerebro.models.measured import MeasuredPatches
from cerebro.models.token_encoder import TokenEncoder
from cerebro.phases.auxiliary import HeldOutLabels, label_means, label_scales
from cerebro.phases.base import PhaseModule
from cerebro.phases.job import PhaseJob
from cerebro.phases.masked_references import (
    References,
    reference_metrics,
    training_batches,
    validation_batches,
)
from cerebro.phases.masked_targets import CodeTarget, MaskedTarget, SignalTarget, SpectrumTarget

LEAK_WINDOWS = 8
"""Windows of each dataset, evenly spread, whose electrodes and bad channels the leak is worked out for."""


class MaskedModel(nn.Module):
    """An encoder, the decoder of hidden tokens, and the auxiliary heads with their loss."""

    def __init__(
        self,
        encoder: TokenEncoder,
        *,
        n_outputs: int,
        auxiliary_loss: AuxiliaryTaskLoss,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = MaskedDecoder(
            encoder.adapter.layout,
            encoder.patch_samples / encoder.sfreq,
            dim=encoder.dim,
            heads=encoder.heads,
            n_outputs=n_outputs,
        )
        counts = {task: auxiliary_loss.classes.get(task, 1) for task in auxiliary_loss.weights}
        self.auxiliary = MultiAuxiliaryHead(
            encoder.dim, {task: count if count > 2 else 1 for task, count in counts.items()}
        )
        self.auxiliary_loss = auxiliary_loss


class MEMPretrainModule(PhaseModule):
    """Predict what stands at hidden places, for a random mask and for its complement.

    Both halves are one pass: the encoder sees each token once, among those of its own half, and no mask
    token ever.

    Parameters
    ----------
    model : MaskedModel
    target : MaskedTarget
        What is predicted.
    phase : PretrainPhase
    held_out : HeldOutLabels
        Knows the labels of validation people, their scales and classes.

    References
    ----------
    Jiang et al. (2024), LaBraM, ICLR: symmetric masking of 50 % of the tokens; He et al. (2022), Masked
    autoencoders are scalable vision learners, CVPR: an encoder of visible tokens only.
    """

    model: MaskedModel
    phase: PretrainPhase

    def __init__(
        self, model: MaskedModel, target: MaskedTarget, phase: PretrainPhase, held_out: HeldOutLabels
    ) -> None:
        super().__init__(model, phase)
        self.target = target
        self.held_out = held_out
        self.references: dict[str, float] = {}

    def card(self) -> dict[str, Any]:
        """Scales and classes of the auxiliary tasks, without which the heads' outputs mean nothing."""
        scales = {task: asdict(scale) for task, scale in self.held_out.scales.items()}
        classes = {task: list(names) for task, names in self.held_out.classes.items()}
        return {"auxiliary": {"scales": scales, "training_means": self.held_out.means, "classes": classes}}

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The target's metrics at hidden places, auxiliary losses, and the weighted sum of both."""
        signal, positions = batch["signal"], batch["positions"]
        target, measured = self.target.measure(signal, positions)
        hidden = self._hidden(batch, target.shape[1])
        tokens, present = self.model.encoder.encode(signal, positions, hidden)
        visible, asked = present & ~hidden, measured.repeat(2, 1) & hidden
        prediction, places, scored = self.model.decoder(tokens, visible, asked)
        targets = take(target.repeat(2, *(1,) * (target.ndim - 1)), places)
        errors = self.target.compare(prediction, targets, scored)
        values = {f"masked_{name}": value for name, value in errors.items()}
        if not self.phase.auxiliary:
            return {"loss": errors["loss"], **values}
        # Pooled over what each view sees: the heads cost no further pass through the encoder.
        weight = visible.to(tokens.dtype).unsqueeze(-1)
        pooled = (tokens * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
        predictions = self.model.auxiliary(pooled.unflatten(0, (2, -1)).mean(dim=0))
        losses = self.model.auxiliary_loss(predictions, self._standardised(batch))
        if not self.training:
            self.held_out.add(batch, predictions)
        loss = errors["loss"] + self.phase.auxiliary_weight * losses["loss"]
        return {"loss": loss, **values, **{f"aux_{name}": value for name, value in losses.items()}}

    def window_counts(self, batch: dict[str, Tensor]) -> dict[str, int]:
        """Each auxiliary loss is a mean over the windows that have its label."""
        labels = self._standardised(batch)
        known = torch.stack([(~label.isnan()).sum() for label in labels.values()]).tolist() if labels else []
        return {f"aux_{task}": count for task, count in zip(labels, known, strict=True)}

    def on_validation_epoch_start(self) -> None:
        """Forget the predictions of the last epoch; measure once what the metrics stand beside."""
        self.held_out.clear()
        if not self.references:
            data: MixedDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
            self.references = self._measure_references(data)

    def on_validation_epoch_end(self) -> None:
        """Log the references, the leak, and the auxiliary tasks' errors by held-out person.

        MAE and r of numbers, balanced accuracy of classes.
        """
        metrics = {f"val/{name}": value for name, value in self.held_out.metrics().items()}
        metrics |= {f"val/masked_{name}": value for name, value in self.references.items()}
        metrics |= self._measure_leak(self.trainer.datamodule)  # type: ignore[attr-defined]
        self.log_dict(metrics, sync_dist=False)  # the same on every rank

    @torch.no_grad()
    def _measure_references(self, data: MixedDataModule) -> dict[str, float]:
        """No knowledge and linear interpolations, on the validation windows and masks of every epoch."""
        training = training_batches(data, self.device)
        references = References(self.target, training, mask_share=self.phase.mask_share)
        encoder = self.model.encoder

        def views() -> Iterator[tuple[dict[str, Tensor], Tensor]]:
            for batch in validation_batches(data, self.device):
                n_tokens = encoder.n_channels * encoder.n_patches(batch["signal"].shape[-1])
                yield batch, self._hidden(batch, n_tokens)

        return reference_metrics(references, views())

    def _measure_leak(self, data: MixedDataModule) -> dict[str, float]:
        """How much of a hidden electrode visible channels hold, by dataset, and what the reference tells."""
        encoder, metrics = self.model.encoder, dict[str, float]()
        for dataset, rows in data.train.table.groupby("dataset").indices.items():
            batch = data.train[rows[spread(len(rows), LEAK_WINDOWS)].tolist()]
            positions = batch["positions"].to(self.device)
            found, reference = leak(
                encoder.adapter,
                encoder.front_end,
                positions,
                encoder.front_end(batch["signal"].to(self.device), positions)[1],
                share=self.phase.mask_share,
                generator=torch.Generator().manual_seed(0),
            )
            if math.isfinite(found):  # else no electrode of its windows is usable
                metrics |= {f"leak/{dataset}": found, f"reference_share/{dataset}": reference}
        return metrics

    def _hidden(self, batch: dict[str, Tensor], n_tokens: int) -> Tensor:
        """What is hidden in either view of each window, (2 * batch, n_tokens)."""
        masks = random_masks(len(batch["row"]), n_tokens, self.phase.mask_share, self._generator(batch))
        return torch.cat((masks, ~masks)).to(batch["signal"].device)

    def _generator(self, batch: dict[str, Tensor]) -> torch.Generator:
        """Masks depend on seed, step and rank in training and are fixed per batch in validation."""
        if self.training:
            return torch_stream(self.phase.seed, "masks", self.global_step, self.global_rank)
        return torch_stream(0, "validation masks", int(batch["row"][0]))

    def _standardised(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        scales = self.held_out.scales
        return {
            task: scales[task].standardise(batch[task]) if task in scales else batch[task]
            for task in self.phase.auxiliary
        }


def build(job: PhaseJob) -> tuple[MEMPretrainModule, MixedDataModule]:
    """Module and data of a pretrain phase."""
    phase = job.phase
    assert isinstance(phase, PretrainPhase)
    tasks = {task: job.labels[task] for task in phase.auxiliary}
    classes = training_classes(job.table, tasks, job.labels)
    encoder = job.encoder()
    target = _target(job, phase, encoder)
    loss = AuxiliaryTaskLoss(
        phase.auxiliary,
        classes={task: len(names) for task, names in classes.items()},
        learned=phase.auxiliary_weighting == "learned",
    )
    model = MaskedModel(encoder, n_outputs=target.n_outputs, auxiliary_loss=loss)
    train, validation = job.windows["train"], job.windows["validation"]
    held_out = HeldOutLabels(
        validation, tasks, classes, label_scales(train, tasks), label_means(train, tasks)
    )
    data = MixedDataModule(
        train,
        validation,
        shards=job.shards,
        phase=phase,
        compute=job.compute,
        labels=[*tasks, "subject"],
    )
    return MEMPretrainModule(model, target, phase, held_out), data


def _target(job: PhaseJob, phase: PretrainPhase, encoder: TokenEncoder) -> MaskedTarget:
    if phase.target == "codes":
        tokenizer = load_tokenizer(job.parent("tokenizer"))
        if tokenizer.encoder.architecture["layout"] != encoder.architecture["layout"] or (
            tokenizer.encoder.patch_samples != encoder.patch_samples
        ):
            raise UserError(
                f"phase '{job.node}' and its tokenizer '{phase.tokenizer}' must share layout and "
                "patch_seconds: each token of one is a token of the other"
            )
        return CodeTarget(tokenizer)
    layout, reference = encoder.adapter.layout, encoder.architecture["reference"]
    measured = MeasuredPatches(layout, encoder.patch_samples, reference)
    return SpectrumTarget(measured) if phase.target == "spectrum" else SignalTarget(measured)
