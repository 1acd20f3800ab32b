"""Phase 2: windows of one moment in different subjects attract each other, other moments repel."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cerebro.config import ContrastPhase, MomentLabel, has_course
from cerebro.data.modules import ContrastiveDataModule
from cerebro.errors import UserError
from cerebro.losses.alignment import alignment, uniformity
from cerebro.losses.contrastive import MovieISCLoss
from cerebro.models.contrastive import ContrastiveModel
from cerebro.phases.base import ParameterGroup, PhaseModule
from cerebro.phases.gather import gather
from cerebro.phases.job import PhaseJob

COLLAPSED_COURSES = 0.998
"""Squared length of the mean embedding above which nothing can be told apart (untrained heads: .6 to .97)."""
COLLAPSED_STATES = 0.9999
"""The same for states, which are compared by what is left without the mean (trained heads: .97 to .98)."""


class ContrastModule(PhaseModule):
    """InfoNCE between subjects who met the same moment, source by source.

    Windows of different sources are never compared: each source has a projection of its own, and the loss is
    the mean of the sources' losses by their weights.
    """

    model: ContrastiveModel

    def __init__(self, model: ContrastiveModel, phase: ContrastPhase) -> None:
        super().__init__(model, phase)
        total = sum(phase.sources.values())
        self.weights: Mapping[str, float] = {name: w / total for name, w in phase.sources.items()}
        # A batch hands sources over as the numbers of their sorted names.
        self.codes: Mapping[str, int] = {name: code for code, name in enumerate(sorted(phase.sources))}
        self.losses = nn.ModuleDict(
            {
                name: MovieISCLoss(
                    phase.temperature, phase.exclusion_seconds, learned=phase.learn_temperature
                )
                for name in phase.sources
            }
        )

    def parameter_groups(self) -> Iterable[ParameterGroup]:
        """What is trained; learned temperatures are among it."""
        yield from super().parameter_groups()
        yield ParameterGroup(list(self.losses.parameters()), self.phase.learning_rate)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Loss over all sources, and of each source what tells how it fares.

        Returns
        -------
        dict
            ``loss``, ``retrieval_top1`` and ``retrieval_chance``: means over sources by their weights. With
            the source's name before them (``<source>/...``): ``loss``; ``loss_no_knowledge``, that of windows
            that are all alike; ``retrieval_top1``, the share of windows whose most similar other window is of
            the same moment, and ``retrieval_chance``; ``alignment`` and ``uniformity``; ``collapse``, the
            squared length of the mean embedding before states are centred: 1 when all are equal, about 0 when
            they spread over the sphere; ``temperature``.
        """
        keys = ("source", "stream", "moment", "subject")
        projected = self.model(batch["signal"], batch["positions"])
        source, *where = (gather(batch[key]) for key in keys)
        values: dict[str, Tensor] = {}
        means = dict.fromkeys(("loss", "retrieval_top1", "retrieval_chance"), source.new_zeros(()).float())
        for name, weight in self.weights.items():
            rows = source == self.codes[name]
            embeddings = gather(projected[name])[rows]
            collapse = embeddings.detach().mean(dim=0).square().sum()
            if not self.model.architecture["courses"][name]:
                embeddings = centred(embeddings)
            loss = self.losses[name]
            assert isinstance(loss, MovieISCLoss)
            found = self._measures(loss, embeddings, *(part[rows] for part in where))
            values |= {f"{name}/{key}": value for key, value in {**found, "collapse": collapse}.items()}
            means = {key: mean + weight * found[key] for key, mean in means.items()}
        return {**means, **values}

    @staticmethod
    def _measures(
        loss: MovieISCLoss, embeddings: Tensor, stream: Tensor, moment: Tensor, subject: Tensor
    ) -> dict[str, Tensor]:
        positive, allowed = loss.relations(stream, moment, subject)
        fixed = embeddings.detach()
        similarity = (fixed @ fixed.T).masked_fill(~allowed, -torch.inf)
        nearest = similarity.argmax(dim=1, keepdim=True)
        chance = positive.float().sum(dim=1) / allowed.float().sum(dim=1).clamp(min=1)
        return {
            "loss": loss(embeddings, stream, moment, subject),
            "loss_no_knowledge": loss(torch.zeros_like(fixed), stream, moment, subject).detach(),
            "retrieval_top1": positive.gather(1, nearest).float().mean(),
            "retrieval_chance": chance.mean(),
            "alignment": alignment(fixed, positive),
            "uniformity": uniformity(fixed),
            "temperature": loss.temperature().detach(),
        }

    def card(self) -> dict[str, Any]:
        """The projections' architecture."""
        return {"contrastive": self.model.architecture}

    def refuse(self, metrics: dict[str, float]) -> None:
        """Raise ``UserError`` when all validation windows of a source share one embedding."""
        for name in self.weights:
            course = self.model.architecture["courses"][name]
            if metrics[f"val/{name}/collapse"] > (COLLAPSED_COURSES if course else COLLAPSED_STATES):
                raise UserError(
                    f"the contrastive embeddings of source '{name}' collapsed: their mean has squared length "
                    f"{metrics[f'val/{name}/collapse']:.3f}; raise the temperature, lower the learning rate "
                    "or add subjects"
                )


def centred(embeddings: Tensor) -> Tensor:
    """Unit vectors of the deviations from the batch's mean embedding, (n, dim) as given.

    A projected course has lost what all windows share with its own mean. A projected state has not: untrained
    ones of all windows are nearly the same vector, and training only made them more so. The mean is that of
    all devices' windows, as DINO centres its outputs (Caron et al. 2021, ICCV).
    """
    return F.normalize(embeddings - embeddings.mean(dim=0), dim=-1)


def build(job: PhaseJob) -> tuple[ContrastModule, ContrastiveDataModule]:
    """Module and data of a contrast phase."""
    phase = job.phase
    assert isinstance(phase, ContrastPhase)
    train = job.windows["train"]
    data = ContrastiveDataModule(
        train,
        pd.concat([job.windows["validation"], train], ignore_index=True),
        shards=job.shards,
        phase=phase,
        compute=job.compute,
        labels=["source", "stream", "moment", "subject"],
        stimuli=[name for name in phase.sources if isinstance(job.labels[name], MomentLabel)],
    )
    encoder = job.encoder()
    model = ContrastiveModel(
        encoder,
        n_times=int(train["length"].iloc[0]),
        # A state lasts all through a window; stimuli and events have a course.
        courses={name: has_course(job.labels[name]) for name in phase.sources},
        projection_dim=phase.projection_dim,
    )
    return ContrastModule(model, phase), data
