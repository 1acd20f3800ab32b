"""What every training has: the optimiser, its schedule, and metrics logged under fixed names."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from cerebro.config import Phase
from cerebro.data.streams import torch_seed
from cerebro.phases.selection import SELECTIONS, Selection

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.MultiheadAttention)
"""Layers whose weights are decayed."""
LAYER_WEIGHTS = ("weight", "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
"""Names of their weights."""


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are trained alike.

    Parameters
    ----------
    parameters : list of Parameter
    learning_rate : float
        The peak.
    first_step : int
        Optimiser step of the training before which the learning rate is zero; the warm-up starts with it.
    """

    parameters: list[nn.Parameter]
    learning_rate: float
    first_step: int = 0


def layer_weights(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Names and weights of linear and convolutional layers, with their low-rank updates; no biases.

    Packed projections of :class:`torch.nn.MultiheadAttention` are linear layers too.
    """
    for prefix, layer in model.named_modules():
        if not isinstance(layer, LAYERS):
            continue
        for name, parameter in layer.named_parameters(prefix):
            own = name.removeprefix(f"{prefix}.")
            if own in LAYER_WEIGHTS or own.startswith("parametrizations.weight."):
                yield name, parameter


class PhaseModule(L.LightningModule):
    """Base of the four kinds of training.

    Parameters
    ----------
    model : Module
        Has an ``encoder``; its weights are the phase's output.
    phase : Phase
        The settings.
    """

    model: nn.Module

    def __init__(self, model: nn.Module, phase: Phase) -> None:
        super().__init__()
        self.model = model
        self.phase = phase

    def card(self) -> dict[str, Any]:
        """What the card needs beyond the encoder to rebuild the model; plain values."""
        return {}

    def callbacks(self) -> list[L.Callback]:
        """Lightning callbacks that this kind of phase needs."""
        return []

    @property
    def selection(self) -> Selection:
        """What says which epoch is the best."""
        return SELECTIONS[self.phase.kind]  # type: ignore[attr-defined]

    def refuse(self, metrics: dict[str, float]) -> None:
        """Raise ``UserError`` when the final metrics show that training failed; by default none do."""

    def finish(self, data: L.LightningDataModule, *, candidates: int) -> dict[str, float]:
        """Complete the model once its final weights are loaded, before it is validated and written.

        ``candidates`` is the number of epochs, the start among them, of which validation windows chose the
        one that is kept; 1 where they had no choice. Returns metrics to be kept with the phase's; by default
        there is nothing to do.
        """
        return {}

    def parameter_groups(self) -> Iterable[ParameterGroup]:
        """What is trained, and how fast."""
        yield ParameterGroup(list(self.model.parameters()), self.phase.learning_rate)

    def configure_optimizers(self) -> Any:
        """AdamW (betas .9 and .98 as LaBraM) with linear warm-up and cosine decay to zero.

        Weights of linear and convolutional layers are decayed, and nothing else: zero is no neutral value of
        an adapter's queries, of spatial filters or of a norm.
        """
        groups, schedules = [], []
        layers = {id(parameter) for _, parameter in layer_weights(self.model)}
        total = self.phase.epochs * self.phase.steps_per_epoch
        warmup = max(1, round(self.phase.warmup_share * total))

        def schedule(first_step: int) -> Callable[[int], float]:
            def scale(step: int) -> float:
                if step < first_step:
                    return 0.0
                rise = min(1.0, (step - first_step + 1) / warmup)
                fall = 0.5 * (1 + math.cos(math.pi * max(0, step - warmup) / max(1, total - warmup)))
                return rise * fall

            return scale

        for group in self.parameter_groups():
            trained = [parameter for parameter in group.parameters if parameter.requires_grad]
            for decayed in (True, False):
                chosen = [parameter for parameter in trained if (id(parameter) in layers) == decayed]
                if chosen:
                    decay = self.phase.weight_decay if decayed else 0.0
                    groups.append({"params": chosen, "lr": group.learning_rate, "weight_decay": decay})
                    schedules.append(schedule(group.first_step))
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedules)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def window_counts(self, batch: dict[str, Tensor]) -> Mapping[str, int]:
        """Windows behind each value of :meth:`evaluate` that is not a mean over the whole batch."""
        return {}

    def record(self, stage: str, values: Mapping[str, Tensor | float], batch: dict[str, Tensor]) -> None:
        """Log values as means over the epoch's windows under ``<stage>/<name>``."""
        counts, size = self.window_counts(batch), len(batch["row"])
        for name, value in values.items():
            count = counts.get(name, size)
            self.log(f"{stage}/{name}", value, on_step=False, on_epoch=True, batch_size=count, sync_dist=True)

    def on_train_batch_start(self, batch: dict[str, Tensor], step: int) -> None:
        """Let dropout, too, depend on seed, step and rank alone, so that resuming changes nothing."""
        torch.manual_seed(torch_seed(self.phase.seed, "dropout", self.global_step, self.global_rank))

    def training_step(self, batch: dict[str, Tensor], step: int) -> Tensor:
        """Loss of one training batch."""
        values = self.evaluate(batch)
        self.record("train", values, batch)
        return values["loss"]

    def validation_step(self, batch: dict[str, Tensor], step: int) -> None:
        """Metrics of one validation batch."""
        self.record("val", self.evaluate(batch), batch)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """All metrics of a batch; ``loss`` is minimised in training and selects in validation."""
        raise NotImplementedError
