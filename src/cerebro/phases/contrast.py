"""Phase 2: windows of one movie moment in different subjects attract each other, other moments repel."""

import pandas as pd
import torch
from torch import Tensor, nn

from cerebro.config import ContrastPhase
from cerebro.data.modules import ContrastiveDataModule
from cerebro.errors import UserError
from cerebro.losses.contrastive import MovieISCLoss
from cerebro.models.encoder import Encoder
from cerebro.models.heads import ContrastiveProjectionHead
from cerebro.phases.base import PhaseModule
from cerebro.phases.job import PhaseJob

COLLAPSED = 0.998
"""Squared length of the mean embedding above which nothing can be told apart (untrained heads: .8 to .97)."""


class ContrastiveModel(nn.Module):
    """An encoder and the projection in which similarity is measured."""

    def __init__(self, encoder: Encoder, *, n_times: int, projection_dim: int) -> None:
        super().__init__()
        self.encoder = encoder
        n_tokens = len(encoder.adapter.layout) * encoder.n_patches(n_times)
        self.projection = ContrastiveProjectionHead(encoder.dim, n_tokens, projection_dim)

    def forward(self, signal: Tensor, positions: Tensor) -> Tensor:
        """Unit vectors (batch, projection_dim) of windows, see :meth:`Encoder.forward`."""
        return self.projection(*self.encoder.encode(signal, positions))


class ContrastModule(PhaseModule):
    """InfoNCE between subjects who watch the same moment of a movie.

    References
    ----------
    Shen et al. (2023), Contrastive learning of subject-invariant EEG representations (CLISA), IEEE
    Transactions on Affective Computing 14; inter-subject correlation after Dmochowski et al. (2012),
    Frontiers in Human Neuroscience 6.
    """

    model: ContrastiveModel

    def __init__(self, model: ContrastiveModel, phase: ContrastPhase) -> None:
        super().__init__(model, phase)
        self.loss = MovieISCLoss(phase.temperature, phase.exclusion_seconds)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """InfoNCE, retrieval of the moment, and how far the embeddings have collapsed.

        Returns
        -------
        dict
            ``loss``; ``retrieval_top1``: share of windows whose most similar other window is of the same
            moment, and ``retrieval_chance``; ``collapse``: squared length of the mean embedding, 1 when all
            are equal and about 0 when they spread over the sphere.
        """
        embeddings = self._gathered(self.model(batch["signal"], batch["positions"]))
        movie, time, subject = (self._gathered(batch[key]) for key in ("movie", "movie_time", "subject"))
        positive, allowed = self.loss.relations(movie, time, subject)
        similarity = embeddings @ embeddings.T
        nearest = similarity.masked_fill(~allowed, -torch.inf).argmax(dim=1, keepdim=True)
        chance = positive.float().sum(dim=1) / allowed.float().sum(dim=1)
        return {
            "loss": self.loss(embeddings, movie, time, subject),
            "retrieval_top1": positive.gather(1, nearest).float().mean(),
            "retrieval_chance": chance.mean(),
            "collapse": embeddings.detach().mean(dim=0).square().sum(),
        }

    def refuse(self, metrics: dict[str, float]) -> None:
        """Raise ``UserError`` when all validation windows share one embedding."""
        if metrics["val/collapse"] > COLLAPSED:
            raise UserError(
                f"the contrastive embeddings collapsed: their mean has squared length "
                f"{metrics['val/collapse']:.3f}; raise the temperature, lower the learning rate or add "
                "subjects"
            )

    def _gathered(self, values: Tensor) -> Tensor:
        """Values of all ranks, with gradients, so that every rank's windows are negatives for all."""
        if self.trainer.world_size == 1:
            return values
        gathered = self.all_gather(values, sync_grads=values.is_floating_point())
        assert isinstance(gathered, Tensor)
        return gathered.flatten(0, 1)


def build(job: PhaseJob) -> tuple[ContrastModule, ContrastiveDataModule]:
    """Module and data of a contrast phase."""
    phase = job.phase
    assert isinstance(phase, ContrastPhase)
    train = job.windows("train")
    data = ContrastiveDataModule(
        train,
        pd.concat([job.windows("validation"), train], ignore_index=True),
        shards=job.shards,
        phase=phase,
        compute=job.compute,
        labels=["movie", "movie_time", "subject"],
    )
    n_times = int(train["length"].iloc[0])
    model = ContrastiveModel(job.encoder(), n_times=n_times, projection_dim=phase.projection_dim)
    return ContrastModule(model, phase), data
