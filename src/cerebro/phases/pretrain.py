"""Phase 1b: masked EEG modelling on a mix of archives, with auxiliary heads for the subject's labels."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cerebro.config import PretrainPhase
from cerebro.data.card import load_tokenizer
from cerebro.data.modules import MixedDataModule
from cerebro.errors import UserError
from cerebro.losses.auxiliary import BINARY_TASKS, AuxiliaryTaskLoss
from cerebro.losses.masked import masked_code_loss, random_masks
from cerebro.models.encoder import Encoder
from cerebro.models.heads import MultiAuxiliaryHead
from cerebro.models.tokenizer import NeuralTokenizer
from cerebro.phases.base import PhaseModule
from cerebro.phases.job import PhaseJob


class MaskedModel(nn.Module):
    """An encoder, the classifier of hidden codes, and the auxiliary heads."""

    def __init__(self, encoder: Encoder, *, n_codes: int, tasks: Sequence[str]) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.dim, n_codes)
        self.auxiliary = MultiAuxiliaryHead(encoder.dim, tasks)


class MEMPretrainModule(PhaseModule):
    """Predict the codes of hidden tokens, for a random mask and for its complement.

    Parameters
    ----------
    model : MaskedModel
    tokenizer : NeuralTokenizer
        Frozen; its codes are the targets.
    phase : PretrainPhase
    scales : dict of str to (float, float)
        Mean and standard deviation of each regressed label over training subjects.

    References
    ----------
    Jiang et al. (2024), LaBraM, ICLR: symmetric masking of 50 % of the tokens.
    """

    model: MaskedModel
    phase: PretrainPhase

    def __init__(
        self,
        model: MaskedModel,
        tokenizer: NeuralTokenizer,
        phase: PretrainPhase,
        scales: dict[str, tuple[float, float]],
    ) -> None:
        super().__init__(model, phase)
        self.tokenizer = tokenizer.eval().requires_grad_(False)
        self.scales = scales
        self.auxiliary_loss = AuxiliaryTaskLoss(dict(phase.auxiliary.items()))
        self.seen: dict[str, list[np.ndarray]] = defaultdict(list)

    def card(self) -> dict[str, Any]:
        """Scales of the auxiliary targets, without which the heads' outputs mean nothing."""
        return {"auxiliary": {"scales": self.scales, "weights": self.phase.auxiliary}}

    def train(self, mode: bool = True) -> "MEMPretrainModule":
        """Set the mode; the tokenizer stays in evaluation mode."""
        super().train(mode)
        self.tokenizer.eval()
        return self

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Masked-code loss and accuracy, auxiliary losses, and their weighted sum."""
        signal, positions = batch["signal"], batch["positions"]
        codes, present = self.tokenizer.tokenize(signal, positions)
        masks = random_masks(len(signal), codes.shape[1], self.phase.mask_share, self._generator(batch)).to(
            signal.device
        )
        halves = [self._masked_half(signal, positions, codes, present, hidden) for hidden in (masks, ~masks)]
        code_loss = (halves[0]["loss"] + halves[1]["loss"]) / 2
        values = {
            "code_loss": code_loss,
            "code_accuracy": (halves[0]["accuracy"] + halves[1]["accuracy"]) / 2,
        }
        if self.phase.auxiliary:
            # Pooled over both half-masked views: the heads cost no further pass through the encoder.
            predictions = self.model.auxiliary((halves[0]["features"] + halves[1]["features"]) / 2)
            losses = self.auxiliary_loss(predictions, self._standardised(batch))
            values |= {f"aux_{name}": loss for name, loss in losses.items()}
            if not self.training:
                self._keep(batch, predictions)
            return {"loss": code_loss + self.phase.auxiliary_weight * losses["loss"], **values}
        return {"loss": code_loss, **values}

    def on_validation_epoch_start(self) -> None:
        """Forget the predictions of the last epoch."""
        self.seen.clear()

    def on_validation_epoch_end(self) -> None:
        """Log the auxiliary tasks' errors by held-out subject: MAE and r, balanced accuracy for sex."""
        if self.seen:
            table = pd.DataFrame({key: np.concatenate(parts) for key, parts in self.seen.items()})
            self.log_dict(self.subject_metrics(table), sync_dist=True)

    def subject_metrics(self, table: pd.DataFrame) -> dict[str, float]:
        """Errors in the labels' units, of each subject's mean prediction.

        Parameters
        ----------
        table : DataFrame
            Columns ``subject``, and ``label_<task>``, ``prediction_<task>`` in the labels' units.
        """
        subjects = table.groupby("subject").mean()
        metrics = {}
        for task in self.phase.auxiliary:
            known = subjects[subjects[f"label_{task}"].notna()]
            truth, guess = known[f"label_{task}"].to_numpy(), known[f"prediction_{task}"].to_numpy()
            if task in BINARY_TASKS:
                right = [(guess[truth == value] > 0.5) == bool(value) for value in np.unique(truth)]
                metrics[f"val/{task}/balanced_accuracy"] = float(np.mean([part.mean() for part in right]))
            elif len(known):
                metrics[f"val/{task}/mae"] = float(np.abs(truth - guess).mean())
                if len(known) > 2 and truth.std() > 0 and guess.std() > 0:
                    metrics[f"val/{task}/r"] = float(np.corrcoef(truth, guess)[0, 1])
        return {name: value for name, value in metrics.items() if np.isfinite(value)}

    def _masked_half(
        self, signal: Tensor, positions: Tensor, codes: Tensor, present: Tensor, hidden: Tensor
    ) -> dict[str, Tensor]:
        tokens, real = self.model.encoder.encode(signal, positions, hidden)
        scores = masked_code_loss(self.model.classifier(tokens), codes, hidden & present)
        weight = real.to(tokens.dtype).unsqueeze(-1)
        return {**scores, "features": (tokens * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)}

    def _generator(self, batch: dict[str, Tensor]) -> torch.Generator:
        """Masks depend on seed, step and rank in training and are fixed per batch in validation."""
        generator = torch.Generator()
        if self.training:
            return generator.manual_seed(hash((self.phase.seed, self.global_step, self.global_rank)))
        return generator.manual_seed(int(batch["row"][0]))

    def _standardised(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        labels: dict[str, Tensor] = {}
        for task in self.phase.auxiliary:
            mean, deviation = self.scales.get(task, (0.0, 1.0))
            labels[task] = (batch[task] - mean) / deviation
        return labels

    def _keep(self, batch: dict[str, Tensor], predictions: dict[str, Tensor]) -> None:
        self.seen["subject"].append(batch["subject"].cpu().numpy())
        for task, prediction in predictions.items():
            mean, deviation = self.scales.get(task, (0.0, 1.0))
            value = prediction.sigmoid() if task in BINARY_TASKS else mean + deviation * prediction
            self.seen[f"label_{task}"].append(batch[task].cpu().numpy())
            self.seen[f"prediction_{task}"].append(value.float().cpu().numpy())


def label_scales(train: pd.DataFrame, tasks: list[str]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each regressed label, every training subject counted once.

    Raises
    ------
    UserError
        When fewer than two training subjects have a label that a task asks for.
    """
    subjects = train.groupby(["dataset", "subject"])[tasks].first()
    scales = {}
    for task in tasks:
        if task in BINARY_TASKS:
            continue
        values = subjects[task].dropna()
        if len(values) < 2 or values.std(ddof=0) == 0:
            raise UserError(
                f"auxiliary task '{task}' needs two training subjects with different labels, found "
                f"{len(values)} with one; remove it from the phase's auxiliary"
            )
        scales[task] = (float(values.mean()), float(values.std(ddof=0)))
    return scales


def build(job: PhaseJob) -> tuple[MEMPretrainModule, MixedDataModule]:
    """Module and data of a pretrain phase."""
    phase = job.phase
    assert isinstance(phase, PretrainPhase)
    tasks: list[str] = list(phase.auxiliary)
    tokenizer = load_tokenizer(job.parent("tokenizer"))
    model = MaskedModel(job.encoder(), n_codes=tokenizer.architecture["n_codes"], tasks=tasks)
    if tokenizer.encoder.architecture["layout"] != model.encoder.architecture["layout"] or (
        tokenizer.encoder.patch_samples != model.encoder.patch_samples
    ):
        raise UserError(
            f"phase '{job.node}' and its tokenizer '{phase.tokenizer}' must share layout and patch_seconds: "
            "each token of one is a token of the other"
        )
    train = job.windows("train")
    data = MixedDataModule(
        train,
        job.windows("validation"),
        shards=job.shards,
        phase=phase,
        compute=job.compute,
        labels=[*tasks, "subject"],
    )
    return MEMPretrainModule(model, tokenizer, phase, label_scales(train, tasks)), data
