"""Settings of what is measured: probes, comparisons, submission, ablations; and of devices."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from cerebro.config.labels import Names
from cerebro.config.settings import Seed, Settings, hint

RIDGE_PENALTIES = tuple(10.0**power for power in range(-1, 5))
"""Ridge penalties that cross-validation over subjects chooses from, where nothing else is said."""


class Probes(Settings):
    """Linear models on frozen features, after every phase and for a random encoder."""

    targets: tuple[str, ...] = ()
    """What is predicted: labels, and `identity`, who it is; empty takes all; see docs/probes.md."""
    max_windows_per_subject: int = Field(default=60, gt=0)
    """Windows of one subject and kind, evenly spread."""
    penalties: tuple[float, ...] = Field(default=(1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6), min_length=1)
    """Ridge penalties (and inverse logistic C) tried by cross-validation over subjects."""


class AdapterComparison(Settings):
    """What `snakemake adapters` compares channel adapters with; no other step reads it."""

    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1)
    """Seeds of initial weights, training batches and hidden channels; each gives a value of its own."""
    steps: int = Field(default=400, gt=0)
    """Optimiser steps in which a learned adapter is trained to reconstruct hidden channels."""
    batch_size: int = Field(default=32, gt=0)
    """Windows in a batch of that training."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Peak learning rate of that training."""
    max_windows_per_subject: int = Field(default=40, gt=0)
    """Windows of one validation subject whose hidden channels are reconstructed, evenly spread."""


class InterSubject(Settings):
    """How alike held-out subjects respond to the same stimulus, for every encoder."""

    label: str | None = None
    """The label of moments that says which stimulus people met; null takes the study's first, and a study
    without one compares nobody."""
    exclusion_seconds: float = Field(default=4.0, ge=0)
    """Moments of a movie closer to the right one than this are no candidates of retrieval."""
    temperature: float = Field(default=0.07, gt=0)
    """Temperature of the InfoNCE that is reported, the same for all encoders."""
    components: int = Field(default=3, gt=0)
    """Correlated components of the signal that the control uses."""
    max_subjects: int = Field(default=40, ge=2)
    """Subjects of a split that are compared, evenly spread. Their tokens are held in memory: half a
    megabyte a window with 128 channels and a width of 256. Time grows with the square."""


Weights = Literal["equal", "validation"]


class Submission(Settings):
    """Which phases answer the two challenges; the answers of several are averaged."""

    challenge_1: Names
    """A finetune phase with target `reaction_time` on its own windows, or several."""
    challenge_2: Names
    """A finetune phase with target `externalizing` on windows of kind `crop`, or several."""
    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)
    """Each phase answers once with every seed of the list, which is added to the seeds of its whole
    lineage."""
    weights: Weights = "equal"
    """`equal`, or `validation`: non-negative weights that sum to 1, fitted on the windows of validation
    subjects."""
    smooth_windows: int = Field(default=1, gt=0)
    """Consecutive windows of a recording over which answers to challenge 2 are averaged, an odd number; for
    variants alone, since the challenge shows a model one window at a time."""

    @field_validator("challenge_1", "challenge_2", "seeds")
    @classmethod
    def _are_different(cls, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        for entry in entries:
            if entries.count(entry) > 1:
                raise ValueError(f"{entry} is named twice; `weights` says how much each member counts")
        return entries

    @field_validator("smooth_windows")
    @classmethod
    def _has_a_middle(cls, windows: int) -> int:
        if windows % 2 == 0:
            raise ValueError(f"{windows} windows have none in their middle; take an odd number")
        return windows

    def answers(self) -> dict[int, tuple[str, ...]]:
        """Names of phases by challenge."""
        return {1: self.challenge_1, 2: self.challenge_2}


class Ablations(Settings):
    """What `snakemake ablations` compares: variants of the graph of phases, each with several seeds."""

    seeds: tuple[Seed, ...] = Field(default=(0, 1, 2), min_length=1)
    """Added to the seed of every phase of a variant; the simulation and the splits stay as they are."""
    compare: tuple[str, ...] = ()
    """The variants to compare, by name; empty compares all."""
    variants: dict[str, dict[str, Any]]
    """Overlays on `phases` by name, merged key by key; an entry of another `kind` takes a phase's place. The
    key `submission` is an overlay on that section; `like: NAME` gives a phase the settings of another one.
    `full`, which changes nothing, stands beside them."""

    @model_validator(mode="after")
    def _names_are_free(self) -> "Ablations":
        for name, what in (("full", "the study as it is"), ("oracle", "who reads the simulation's truth")):
            if name in self.variants:
                raise ValueError(f"variants.{name}: this name is reserved for {what}")
        for name in self.compare:
            if name not in self.variants:
                raise ValueError(f"compare: there is no variant '{name}'{hint(name, self.variants)}")
        return self


class Statistics(Settings):
    """How sure each number is."""

    resamples: int = Field(default=2000, ge=100)
    """Bootstrap resamples of subjects behind each 95 % interval."""


class Devices(Settings):
    """Devices and workers: they cannot change what is computed, so no step re-runs when they change."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Lightning's accelerator; `auto` takes what is there."""
    devices: int | Literal["auto"] = "auto"
    """Number of devices; more than one trains with DDP."""
    workers: int = Field(default=0, ge=0)
    """Threads that read batches ahead of a training; 0 reads each when it is needed."""
    threads: int = Field(default=2, gt=0)
    """CPU threads of a training job."""


class Compute(Devices):
    """Devices and workers, and the precision of trainings, which is part of what they compute."""

    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    """Lightning's precision, for instance `bf16-mixed` on a GPU; a change trains anew. Weights are always of
    single precision."""
