"""Settings of the nodes of the graph of phases, and walks along it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cerebro.config.analyses import RIDGE_PENALTIES
from cerebro.config.encoders import AnyEncoder, Architecture
from cerebro.config.settings import Seed, Settings


class Node(Settings):
    """What every node of the graph has: trainings and baselines."""

    seed: Seed = 0
    """Seed of initial weights, sampling, masks, and of labels that are shuffled."""
    subject_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training subjects of each dataset that this node learns from; a smaller share is a part of
    a larger one. Validation subjects are always all of them."""
    subject_seed: Seed = 0
    """Seed of the order in which shares take subjects; phases of one lineage need the same."""


class Phase(Node):
    """What every training has: where it starts and how long it takes."""

    init: str | None = None
    """The phase whose encoder this one starts from; none starts from random weights."""
    encoder: AnyEncoder | None = None
    """What differs from the study's `encoder` section; for phases without `init` only."""
    epochs: int = Field(default=20, gt=0)
    """Upper bound on epochs; validation and a checkpoint follow each one."""
    steps_per_epoch: int = Field(default=25, gt=0)
    """Optimiser steps in an epoch."""
    batch_size: int = Field(default=64, gt=0)
    """Windows in a batch (over all devices)."""
    window_seconds: float | None = Field(default=None, gt=0)
    """Length of the windows to learn from, a multiple of `windows.seconds`: neighbouring windows are joined;
    null takes each as it is."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Peak learning rate of AdamW."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Weight decay of AdamW on the weights of linear and convolutional layers."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps over which the learning rate rises linearly; a cosine follows."""
    clip_norm: float = Field(default=3.0, gt=0)
    """Gradient norm above which gradients are scaled down."""
    keep: Literal["best", "last"] = "best"
    """Weights that are kept: of the epoch that is best on validation subjects at what the phase is for
    (tokenizer: reconstruction; pretrain: masked loss; contrast: retrieval; finetune: squared error), the
    start included, or the last epoch's. With few validation subjects the best epoch is a matter of luck."""
    patience: int = Field(default=1000, gt=0)
    """Epochs without a better one, by the same measure, after which training stops."""
    max_validation_windows: int = Field(default=2048, gt=0)
    """Validation windows looked at after each epoch, evenly spread over all."""
    checkpoints: int = Field(default=0, ge=0)
    """Encoders kept within the training, evenly spread over its epochs, and probed as `<phase>@1` ...; less
    than `epochs`."""

    @model_validator(mode="after")
    def _checkpoints_lie_within(self) -> "Phase":
        if self.checkpoints >= self.epochs:
            raise ValueError(f"checkpoints ({self.checkpoints}) must be less than epochs ({self.epochs})")
        return self


class TokenizerPhase(Phase):
    """Phase 1a: vector-quantised neural spectrum prediction."""

    kind: Literal["tokenizer"]
    """This kind of phase."""
    datasets: tuple[str, ...] = ()
    """Datasets to learn from; empty takes all."""
    codes: int = Field(default=256, ge=2)
    """Size of the codebook."""
    code_dim: int = Field(default=32, gt=0)
    """Width of a code."""
    ema_decay: float = Field(default=0.95, gt=0, lt=1)
    """Decay of the moving averages that update the codes: 0.95 averages over about 20 steps."""
    commitment: float = Field(default=0.25, ge=0)
    """Weight of the commitment loss."""
    start_epoch: int = Field(default=1, ge=0)
    """Epochs before there is a codebook: an encoder that chases its first codes learns next to nothing."""
    start_batches: int = Field(default=16, gt=0)
    """Training batches (of one epoch, at most) whose tokens the codebook then starts from, by k-means."""
    min_used_share: float = Field(default=0.1, ge=0, le=1)
    """Share of codes that must be in use on validation data at the end; less is a collapsed codebook."""

    @model_validator(mode="after")
    def _codebook_starts(self) -> "TokenizerPhase":
        if self.start_epoch >= self.epochs:
            raise ValueError(
                f"start_epoch ({self.start_epoch}) must be less than epochs ({self.epochs}), or there never "
                "is a codebook"
            )
        return self


class PretrainPhase(Phase):
    """Phase 1b: masked EEG modelling on a mix of datasets, with auxiliary tasks."""

    kind: Literal["pretrain"]
    """This kind of phase."""
    target: Literal["codes", "spectrum", "signal"] = "codes"
    """What is predicted at hidden places: a tokenizer's codes, log amplitude and phase of the spectrum, or
    the samples. The last two need no tokenizer."""
    tokenizer: str | None = None
    """The tokenizer phase whose codes are predicted; for target `codes` only."""
    mask_share: float = Field(default=0.5, gt=0, lt=1)
    """Share of tokens hidden in one view of a window; the complement is hidden in the other."""
    mix: dict[str, float]
    """Share of windows from each dataset; must sum to 1."""
    auxiliary: dict[str, Annotated[float, Field(gt=0)]] = Field(default={})
    """Labels that are learned beside it, and their weights; empty trains none."""
    auxiliary_weight: float = Field(default=0.3, ge=0)
    """Weight of all auxiliary tasks together beside the masked loss."""
    auxiliary_weighting: Literal["fixed", "learned"] = "fixed"
    """`learned`: the tasks' weights are where learning starts, each divided by a learned variance (Kendall et
    al. 2018)."""

    @model_validator(mode="after")
    def _mix_sums_to_one(self) -> "PretrainPhase":
        if abs(sum(self.mix.values()) - 1) > 1e-6:
            raise ValueError(f"mix must sum to 1, not {sum(self.mix.values()):g}")
        return self

    @model_validator(mode="after")
    def _codes_come_from_a_tokenizer(self) -> "PretrainPhase":
        if self.target == "codes" and self.tokenizer is None:
            raise ValueError(
                "target codes needs a tokenizer phase (tokenizer: NAME); spectrum and signal need none"
            )
        if self.target != "codes" and self.tokenizer is not None:
            raise ValueError(f"target {self.target} reads no tokenizer; set tokenizer: null")
        return self


class ContrastPhase(Phase):
    """Phase 2: windows of the same moment in different subjects attract, other moments repel."""

    kind: Literal["contrast"]
    """This kind of phase."""
    sources: dict[str, Annotated[float, Field(gt=0)]] = Field(min_length=1)
    """Labels that say which windows of different people belong together, and their weights, shares of every
    batch and of the loss: same class of an interval, same event, same moment."""
    subjects_per_moment: int = Field(default=2, ge=2)
    """Subjects whose windows of one moment stand together in a batch; a batch holds `batch_size` divided by
    this number of moments."""
    temperature: float = Field(default=0.07, gt=0)
    """Temperature of InfoNCE, or where a learned one starts."""
    learn_temperature: bool = False
    """Whether the temperature is learned with the weights."""
    exclusion_seconds: float = Field(default=4.0, ge=0)
    """Moments of one stimulus or event closer than this are never negatives of each other."""
    jitter_seconds: float = Field(default=0.0, ge=0, le=1)
    """Windows of a stimulus start up to this much earlier or later (s) in training, in all subjects alike:
    a movie has more moments than the index has windows of it."""
    projection_dim: int = Field(default=64, gt=0)
    """Width of the projection in which similarity is measured."""


class FinetunePhase(Phase):
    """Phase 3: prediction of one label: regression of a number, or classification."""

    kind: Literal["finetune"]
    """This kind of phase."""
    target: str
    """The label that is predicted."""
    windows: str | None = None
    """Kind of the windows to learn from: `fixed`, `crop` (Challenge 2's) or a label's own; null takes the
    target's."""
    objective: Literal["mse", "huber", "distribution"] | None = None
    """For a number: `mse` (null) or `huber`, plain regression, or for a time `distribution`: probabilities of
    bins of 0.1 s, trained by cross entropy with soft targets around the true time, whose expectation is the
    prediction. Classes are learned by cross entropy, each class with the same weight altogether."""
    target_width_seconds: float = Field(default=0.1, gt=0)
    """Standard deviation (s) of the soft targets of a `distribution`."""
    through: tuple[str, ...] = ()
    """Labels of the person that are predicted first, for the target to follow from them by a ridge regression
    over training subjects; empty predicts the target directly."""
    shrink: bool = True
    """Predictions are drawn towards the mean as far as validation subjects do not prove their use."""
    encoder_learning_rate: float = Field(default=1e-4, ge=0)
    """Peak learning rate of the encoder's last layer; 0 freezes the encoder."""
    freeze_epochs: int = Field(default=0, ge=0)
    """Epochs in which the encoder is frozen, before it trains with the rest."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Learning rate of each of the encoder's layers as a share of the next one's; LaBraM takes 0.65."""
    low_rank: int = Field(default=0, ge=0)
    """Rank of the updates (LoRA) that are trained in place of the encoder's own weights, and merged into them
    at the end; 0 trains the weights."""
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    """Decay of a moving average of the weights, which is validated and kept in their place; 0 keeps the last
    step's. 0.98 averages over about 50 steps: with few validation subjects single steps are a lottery."""
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout before the regression."""
    jitter_seconds: float = Field(default=0.0, ge=0, le=1)
    """Training windows start up to this much earlier or later (s), and a target that is a time moves with
    them."""
    channel_drop: float = Field(default=0.0, ge=0, lt=1)
    """Probability with which each channel of a training window is left out."""
    shuffle_labels: bool = False
    """A control: labels of training and of validation are permuted, those of windows between windows, those
    of people between people. What beats the floor all the same has seen what it should not."""

    @model_validator(mode="after")
    def _options_fit_together(self) -> "FinetunePhase":
        if self.through and self.objective not in (None, "mse"):
            raise ValueError(
                f"objective: {self.objective} has no effect on factors that are predicted `through`"
            )
        width = type(self).model_fields["target_width_seconds"]
        if self.objective != "distribution" and self.target_width_seconds != width.default:
            raise ValueError(f"target_width_seconds is for objective distribution, not {self.objective}")
        if self.weight_average and self.checkpoints:
            raise ValueError(
                "checkpoints hold weights of single steps, weight_average keeps a mean of many: set one of "
                "them to 0"
            )
        if self.freeze_epochs and self.freeze_epochs >= self.epochs:
            raise ValueError(
                f"freeze_epochs ({self.freeze_epochs}) must be less than epochs ({self.epochs}); "
                "encoder_learning_rate: 0 freezes the encoder all through"
            )
        if self.encoder_learning_rate == 0:
            for name, default in (("freeze_epochs", 0), ("layer_decay", 1.0), ("low_rank", 0)):
                if getattr(self, name) != default:
                    raise ValueError(f"{name} has no effect on an encoder frozen by encoder_learning_rate: 0")
        return self


class BaselinePhase(Node):
    """What a linear model without an encoder makes of the same windows; compared, never packaged."""

    kind: Literal["baseline"]
    """This kind of node."""
    target: str
    """The label that is predicted."""
    windows: str | None = None
    """Kind of the windows to learn from, as in a finetune phase."""
    features: Literal["mean", "age_sex", "age_sex_run", "spectral", "covariance"]
    """`mean`: the training mean; `age_sex`, `age_sex_run`: what the tables say of subject and run;
    `spectral`: log band power of 21 channels; `covariance`: covariance of 19 channels, in tangent space."""
    penalties: tuple[float, ...] = Field(default=RIDGE_PENALTIES, min_length=1)
    """Ridge penalties tried by cross-validation over training subjects; the largest is close to the mean."""
    shuffle_labels: bool = False
    """A control: labels are permuted, as in a finetune phase."""


AnyPhase = Annotated[
    TokenizerPhase | PretrainPhase | ContrastPhase | FinetunePhase, Field(discriminator="kind")
]
"""The trainings."""


AnyNode = Annotated[
    TokenizerPhase | PretrainPhase | ContrastPhase | FinetunePhase | BaselinePhase,
    Field(discriminator="kind"),
]
"""All nodes of the graph."""


def trainings(phases: Mapping[str, AnyNode]) -> dict[str, AnyPhase]:
    """The nodes that train an encoder: all but baselines."""
    return {name: node for name, node in phases.items() if not isinstance(node, BaselinePhase)}


def parents(phase: Node) -> dict[str, str]:
    """The phases that must be finished first, by the key that names them."""
    named = {key: getattr(phase, key, None) for key in ("init", "tokenizer")}
    return {key: parent for key, parent in named.items() if parent is not None}


def lineage(phases: Mapping[str, Node], name: str) -> list[str]:
    """The chain of encoders behind a phase, oldest first, itself last; a cycle raises ``ValueError``."""
    chain: list[str] = []

    def visit(node: str, path: tuple[str, ...]) -> None:
        if node in path:
            raise ValueError(f"phases: {' -> '.join((*path[path.index(node) :], node))} is a cycle")
        for parent in parents(phases[node]).values():
            visit(parent, (*path, node))

    visit(name, ())
    current: str | None = name
    while current is not None:
        chain.insert(0, current)
        current = parents(phases[current]).get("init")
    return chain


def encoder_of(phases: Mapping[str, Phase], name: str, study: Architecture) -> Architecture:
    """The architecture behind a phase: that of the phase where its line starts, else the study's."""
    return phases[lineage(phases, name)[0]].encoder or study
