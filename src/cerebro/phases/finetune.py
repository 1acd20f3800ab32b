"""Phase 3: prediction of one label from the encoder's tokens; what regression and classification share."""

from collections.abc import Iterable

import lightning as L
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import Tensor

from cerebro.config import FinetunePhase
from cerebro.models.classifier import Classifier
from cerebro.models.predictor import Predictor
from cerebro.models.token_encoder import TokenEncoder
from cerebro.phases.base import ParameterGroup, PhaseModule
from cerebro.phases.transition import adapt_by_low_rank, layer_groups


class FinetuneModule(PhaseModule):
    """Train an encoder and a head for one label.

    Parameters
    ----------
    model : Predictor or Classifier
    phase : FinetunePhase
    """

    model: Predictor | Classifier
    phase: FinetunePhase

    def callbacks(self) -> list[L.Callback]:
        """The moving average of the weights, if one is asked for."""
        decay = self.phase.weight_average
        return [EMAWeightAveraging(decay=decay)] if decay else []

    def parameter_groups(self) -> Iterable[ParameterGroup]:
        """Head and encoder, the encoder layer by layer, with learning rates of their own."""
        yield ParameterGroup(list(self.model.head.parameters()), self.phase.learning_rate)
        first_step = self.phase.freeze_epochs * self.phase.steps_per_epoch
        for parameters, rate in layer_groups(
            self.model.encoder, self.phase.encoder_learning_rate, self.phase.layer_decay
        ):
            yield ParameterGroup(parameters, rate, first_step)

    @property
    def frozen(self) -> bool:
        """Whether the encoder is, in this epoch."""
        return self.phase.encoder_learning_rate == 0 or self.current_epoch < self.phase.freeze_epochs

    def train(self, mode: bool = True) -> "FinetuneModule":
        """Set the mode; an encoder whose own weights are frozen stays in evaluation mode."""
        super().train(mode)
        if self.frozen or self.phase.low_rank:
            self.model.encoder.eval()
        return self

    def on_train_epoch_start(self) -> None:
        """Set the mode anew: the encoder may thaw with this epoch."""
        self.train()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Without gradients the optimiser passes a frozen encoder by, its own state included."""
        if self.frozen:
            for parameter in self.model.encoder.parameters():
                parameter.grad = None

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The objective in training, the mean loss that selects otherwise, as ``loss``."""
        signal, positions = batch["signal"], batch["positions"]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            tokens, present = self.model.encoder.encode(signal, positions)
        inputs = (tokens, present, signal, positions)
        if not self.training:
            return {"loss": self.judge(batch, inputs)}
        # Every parameter takes part, since DDP waits for a gradient of each, frozen for now or not.
        waiting = [parameter.sum() for parameter in self.model.encoder.parameters() if self.frozen]
        return {"loss": self.objective(batch, inputs) + 0 * sum(waiting)}

    def objective(self, batch: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """What training minimises; ``inputs`` are tokens, which of them are present, signal and positions."""
        raise NotImplementedError

    def judge(self, batch: dict[str, Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        """Mean loss of a validation batch; what else validation asks for is taken in."""
        raise NotImplementedError


def freeze(encoder: TokenEncoder, phase: FinetunePhase, *, node: str) -> None:
    """Freeze what a phase does not train of an encoder; ``node`` is the phase's name, for errors."""
    if phase.encoder_learning_rate == 0:
        encoder.requires_grad_(False)
    elif phase.low_rank:
        adapt_by_low_rank(encoder, phase.low_rank, node=node)
