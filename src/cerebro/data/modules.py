"""Lightning data modules: what each kind of phase trains on and is selected by."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch

from cerebro.config import ContrastPhase, Devices, FinetunePhase, Phase, PretrainPhase
from cerebro.data.augmentation import AugmentedDataset, JitteredMoments
from cerebro.data.loading import BatchLoader
from cerebro.data.samplers import (
    EpochSampler,
    MixedSampler,
    MomentSampler,
    SequentialSampler,
    ShuffledSampler,
)
from cerebro.data.spread import spread
from cerebro.data.windows import WindowDataset
from cerebro.shards.store import SFREQ


class MixedDataset(WindowDataset):
    """Windows of several archives, drawn in configured shares (70/30 HBN/TUH by default).

    All archives are shuffled together: training on one after another forgets the first.
    """

    def sampler(self, phase: PretrainPhase) -> MixedSampler:
        """Sampler of this dataset's training batches."""
        return MixedSampler(
            self.table["dataset"],
            phase.mix,
            batch_size=phase.batch_size,
            steps=phase.steps_per_epoch,
            seed=phase.seed,
        )


class WindowDataModule(L.LightningDataModule):
    """Training windows by a sampler of batches; validation windows once each, at most as many as configured.

    Parameters
    ----------
    train, validation : DataFrame
        Rows of the window index, as :func:`cerebro.data.phase_windows.phase_windows` gives them.
    shards : Path
        Folder of the shards.
    labels : sequence of str
        Columns handed over with each batch.
    """

    def __init__(
        self,
        train: pd.DataFrame,
        validation: pd.DataFrame,
        *,
        shards: Path,
        phase: Any,
        compute: Devices,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.phase = phase
        self.compute = compute
        self.train = self.training_dataset(train, shards, labels)
        self.validation = WindowDataset(validation, shards, labels)

    def training_dataset(self, train: pd.DataFrame, shards: Path, labels: Sequence[str]) -> WindowDataset:
        """Dataset of the training windows."""
        return WindowDataset(train, shards, labels)

    def train_sampler(self) -> EpochSampler:
        """Sampler of training batches."""
        phase: Phase = self.phase
        return ShuffledSampler(
            len(self.train), batch_size=phase.batch_size, steps=phase.steps_per_epoch, seed=phase.seed
        )

    def validation_sampler(self) -> EpochSampler:
        """Sampler of validation batches: the same in every epoch."""
        rows = spread(len(self.validation), self.phase.max_validation_windows)
        return SequentialSampler(rows, batch_size=self.phase.batch_size)

    def train_dataloader(self) -> BatchLoader:
        """Loader of training batches."""
        return self._loader(self.train, self.train_sampler())

    def val_dataloader(self) -> BatchLoader:
        """Loader of validation batches."""
        return self._loader(self.validation, self.validation_sampler())

    def _loader(self, dataset: WindowDataset, sampler: EpochSampler) -> BatchLoader:
        pin = self.compute.accelerator != "cpu" and torch.cuda.is_available()
        return BatchLoader(dataset, sampler, threads=self.compute.workers, pin=pin)


class MixedDataModule(WindowDataModule):
    """Phase 1b: training batches in the configured mix of archives."""

    def training_dataset(self, train: pd.DataFrame, shards: Path, labels: Sequence[str]) -> WindowDataset:
        """Dataset of the training windows."""
        return MixedDataset(train, shards, labels)

    def train_sampler(self) -> EpochSampler:
        """Sampler of training batches."""
        assert isinstance(self.train, MixedDataset)
        return self.train.sampler(self.phase)

    def validation_sampler(self) -> EpochSampler:
        """Sampler of validation batches: of each archive its share, as far as it has as many windows.

        Always in one order that mixes archives: a batch of one alone would have no label of the other's.
        """
        phase: PretrainPhase = self.phase
        rows = [
            numbers[spread(len(numbers), round(phase.max_validation_windows * phase.mix[dataset]))]
            for dataset, numbers in self.validation.table.groupby("dataset").indices.items()
        ]
        mixed = np.random.default_rng(0).permutation(np.concatenate(rows))
        return SequentialSampler(mixed, batch_size=phase.batch_size)


class FinetuneDataModule(WindowDataModule):
    """Phase 3: windows with their target, varied at random in training if so configured."""

    def training_dataset(self, train: pd.DataFrame, shards: Path, labels: Sequence[str]) -> WindowDataset:
        """Dataset of the training windows."""
        phase: FinetunePhase = self.phase
        if not phase.jitter_seconds and not phase.channel_drop:
            return WindowDataset(train, shards, labels)
        return AugmentedDataset(
            train,
            shards,
            labels,
            moment=phase.target if phase.jitter_seconds else None,
            lag_seconds=phase.jitter_seconds,
            channel_drop=phase.channel_drop,
            sfreq=SFREQ,
            seed=phase.seed,
        )


class ContrastiveDataModule(WindowDataModule):
    """Phase 2: batches of moments met by several subjects.

    The validation table holds the windows of all training people too: each of its moments pairs a held-out
    subject with one other, so that a study with a single held-out subject can still select.

    Parameters
    ----------
    *tables, **rest
        As of :class:`WindowDataModule`.
    stimuli : collection of str
        Sources whose training windows may be moved in time.
    """

    def __init__(self, *tables: pd.DataFrame, stimuli: Collection[str], **rest: Any) -> None:
        self.stimuli = stimuli
        super().__init__(*tables, **rest)

    def training_dataset(self, train: pd.DataFrame, shards: Path, labels: Sequence[str]) -> WindowDataset:
        """Dataset of the training windows."""
        phase: ContrastPhase = self.phase
        if not phase.jitter_seconds:
            return WindowDataset(train, shards, labels)
        return JitteredMoments(
            train,
            shards,
            labels,
            stimuli=self.stimuli,
            subjects=phase.subjects_per_moment,
            lag_seconds=phase.jitter_seconds,
            sfreq=SFREQ,
            seed=phase.seed,
        )

    def train_sampler(self) -> EpochSampler:
        """Sampler of training batches."""
        phase: ContrastPhase = self.phase
        return MomentSampler(
            self.train.table,
            phase.sources,
            batch_size=phase.batch_size,
            subjects=phase.subjects_per_moment,
            steps=phase.steps_per_epoch,
            seed=phase.seed,
        )

    def validation_sampler(self) -> EpochSampler:
        """Sampler of validation batches, one epoch's again and again; each pair has a held-out subject."""
        phase: ContrastPhase = self.phase
        table = self.validation.table
        held_out = table["split"] == "validation"
        steps = max(1, min(int(held_out.sum()), phase.max_validation_windows) // phase.batch_size)
        sampler = MomentSampler(
            table,
            phase.sources,
            batch_size=phase.batch_size,
            subjects=2,
            steps=steps,
            seed=0,
            held_out=held_out,
        )
        return FixedEpoch(sampler)


class FixedEpoch(EpochSampler):
    """The first epoch of another sampler, again and again."""

    def __init__(self, sampler: EpochSampler) -> None:
        super().__init__(sampler.steps, sampler.seed, sampler.granularity)
        self.sampler = sampler

    def draw(self, step: int) -> list[int]:
        """Rows of one batch."""
        return self.sampler.draw(step)
