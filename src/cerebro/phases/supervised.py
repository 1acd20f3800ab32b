"""Phase 3: a finetune phase is a regression or a classification, as its target is declared."""

from cerebro.config import FinetunePhase
from cerebro.data.modules import FinetuneDataModule
from cerebro.phases.classification import build_classification
from cerebro.phases.finetune import FinetuneModule
from cerebro.phases.job import PhaseJob
from cerebro.phases.regression import build_regression


def build(job: PhaseJob) -> tuple[FinetuneModule, FinetuneDataModule]:
    """Module and data of a finetune phase."""
    phase = job.phase
    assert isinstance(phase, FinetunePhase)
    if job.labels[phase.target].is_class:
        return build_classification(job, phase)
    return build_regression(job, phase)
