"""Phase 2: windows of one movie moment in different subjects attract each other, other moments repel."""

import pandas as pd
import torch
from torch import Tensor, nn

from cerebro.config import ContrastPhase
from cerebro.data.modules import ContrastiveDataModule
from cerebro.losses.contrastive import MovieISCLoss
from cerebro.models.encoder import Encoder
from cerebro.models.heads import ContrastiveProjectionHead
from cerebro.phases.base import PhaseModule
from cerebro.phases.job import PhaseJob


class ContrastiveModel(nn.Module):
    """An encoder and the projection in which similarity is measured."""

    def __init__(self, encoder: Encoder, projection_dim: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection = ContrastiveProjectionHead(encoder.dim, projection_dim)


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
        """InfoNCE; how often the most similar window is of the same moment, and how often by chance."""
        features = self.model.encoder.features(batch["signal"], batch["positions"])
        embeddings = self._gathered(self.model.projection(features))
        movie, time, subject = (self._gathered(batch[key]) for key in ("movie", "movie_time", "subject"))
        positive, allowed = self.loss.relations(movie, time, subject)
        similarity = embeddings @ embeddings.T
        nearest = similarity.masked_fill(~allowed, -torch.inf).argmax(dim=1, keepdim=True)
        chance = positive.float().sum(dim=1) / allowed.float().sum(dim=1)
        return {
            "loss": self.loss(embeddings, movie, time, subject),
            "retrieval_top1": positive.gather(1, nearest).float().mean(),
            "retrieval_chance": chance.mean(),
        }

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
    return ContrastModule(ContrastiveModel(job.encoder(), phase.projection_dim), phase), data
