"""The typed configuration: every key the pipeline reads, its unit and its default.

The Snakefile validates the merged YAML with :func:`load_config` before anything is planned. Each workflow
step then receives only the settings model that it reads, as JSON, so that an edit re-runs what it touches.
"""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from cerebro.errors import UserError

Target = Literal["reaction_time", "externalizing"]
PairSource = Literal["movie", "resting_state", "task"]
AuxiliaryTask = Literal["age", "sex", "p_factor", "attention", "internalizing", "externalizing"]

ProbeTarget = Literal[
    "reaction_time",
    "age",
    "sex",
    "p_factor",
    "attention",
    "internalizing",
    "externalizing",
    "eyes",
    "task",
    "movie_moment",
    "identity",
]

HBN_AUXILIARY_TASKS: dict[AuxiliaryTask, float] = {
    "age": 1.0,
    "sex": 0.5,
    "p_factor": 1.0,
    "attention": 0.5,
    "internalizing": 0.5,
    "externalizing": 0.5,
}
"""Weights of the six auxiliary tasks of Phase 1b."""

RIDGE_PENALTIES = tuple(10.0**power for power in range(-1, 5))
"""Ridge penalties that cross-validation over subjects chooses from, where nothing else is said."""

EXCLUDED_SUBJECTS = (
    "sub-NDARWV769JM7",
    "sub-NDARME789TD2",
    "sub-NDARUA442ZVF",
    "sub-NDARJP304NK1",
    "sub-NDARTY128YLU",
    "sub-NDARDW550GU6",
    "sub-NDARLD243KRE",
    "sub-NDARUJ292JXV",
    "sub-NDARBA381JGH",
)
"""The nine subjects that the challenge's start kit leaves out (`sub_rm` in its Challenge 1 notebook)."""


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys forbidden, field docstrings become descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_removed(cls, data: Any) -> Any:
        """In every mapping of named things an entry that an overlay sets to null is removed."""
        if not isinstance(data, Mapping):
            return data
        named = {key for key, field in cls.model_fields.items() if get_origin(field.annotation) is dict}
        return {
            key: _without_removed(key, value) if key in named and isinstance(value, Mapping) else value
            for key, value in data.items()
        }


class SimulatedRelease(Settings):
    """One simulated HBN release."""

    subjects: int = Field(gt=0)
    """Number of subjects."""
    format: Literal["bdf", "set"] = "bdf"
    """`bdf`: 100 Hz, 0.5 to 50 Hz, as the challenge ships it; `set`: 500 Hz EEGLAB, as OpenNeuro ships it."""


class Simulation(Settings):
    """The embedded raw data: how many subjects, which recordings, how long."""

    seed: int = 0
    """Seed of the whole population; subjects depend on it and on their own name only."""
    effects: Literal["published", "shifted", "null"] = "published"
    """`published`: as in the literature; `shifted`: other heads, noise and sizes within its ranges; `null`:
    nothing in the EEG depends on the subject's labels, behaviour, eyes or films."""
    releases: dict[str, SimulatedRelease]
    """HBN releases by name (`R1`, `R5`, ...)."""
    tuh_subjects: int = Field(default=12, ge=0)
    """Number of TUH patients; 0 writes no TUH corpus."""
    contrast_change_trials: int = Field(default=24, ge=3)
    """Trials in the contrast change detection run (24 in the real one)."""
    resting_cycles: int = Field(default=2, ge=1)
    """Cycles of 20 s eyes open and 40 s eyes closed (5.5 in the real recording)."""
    movies: tuple[Literal["DespicableMe", "DiaryOfAWimpyKid", "FunwithFractals", "ThePresent"], ...]
    """Movies watched by every HBN subject."""
    movie_seconds: float = Field(default=60.0, gt=4)
    """Seconds of each movie that are recorded; shorter than the movie means a recording without its stop."""
    tuh_seconds: float = Field(default=300.0, gt=4)
    """Length of a TUH recording in seconds."""


class Dataset(Settings):
    """One archive of raw recordings."""

    reader: str = Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")
    """Who understands the folders: `hbn`, `tuh`, `files` (any folder of EEG files), or the dotted name of a
    module of one's own."""
    roots: tuple[Path, ...] = ()
    """Folders to search; empty takes what the simulation wrote for this dataset."""
    groups: int = Field(default=1, gt=0)
    """Number of subject groups, one sharding job and one shard each; about one per 100 subjects."""
    tasks: tuple[str, ...] = ()
    """Tasks to keep, by BIDS name; empty keeps all."""
    releases: tuple[str, ...] = ()
    """Releases to keep (`R1`, ...); empty keeps all that lie below the roots."""
    keep: tuple[str, ...] = ()
    """The only subjects to take: names, or text files with one name a line (an entry with a `.` or a `/` is a
    file, `#` begins a comment); empty takes all."""
    exclude: tuple[str, ...] = ()
    """Subjects to leave out, as names or files like `keep`."""
    exclude_evaluation_of: tuple[Path, ...] = ()
    """Folders of TUAB or TUEV copies: patients found there below `eval` are left out of this dataset, so that
    nothing is pretrained on whom those benchmarks evaluate."""
    max_failed_share: float = Field(default=0.1, ge=0, le=1)
    """A step stops when more than one recording and more than this share of the dataset's is quarantined."""


class Download(Settings):
    """What `snakemake download` fetches: HBN-EEG from its public buckets. No other step reads it."""

    releases: tuple[str, ...] = Field(min_length=1)
    """HBN releases (`R1` to `R11`)."""
    format: Literal["bdf", "bdf_mini", "set"] = "bdf"
    """`bdf`: the challenge's copies, 100 Hz; `bdf_mini`: those of 20 subjects a release; `set`: OpenNeuro's
    originals, 500 Hz."""
    folder: Path
    """Where the releases go, each in a folder of its own (`R5_L100_bdf`, `ds005509`)."""
    tasks: tuple[str, ...] = ()
    """Tasks to fetch, by BIDS name; empty fetches all."""
    subjects: Annotated[int, Field(gt=0)] | tuple[str, ...] = ()
    """Subjects to fetch, with or without `sub-`; a number takes that many of each release, the first by name;
    empty fetches all."""
    connections: int = Field(default=8, gt=0)
    """Files fetched side by side."""
    endpoint: str | None = None
    """URL of an S3 server that holds a copy of the buckets; null is Amazon's."""


class Preprocessing(Settings):
    """From raw samples to shards."""

    band: tuple[float, float] = (0.5, 50.0)
    """Band-pass in Hz; recordings that the archive already band-passed are not filtered again."""
    sfreq: float = Field(default=100.0, gt=0)
    """Sampling rate of the shards in Hz."""


class Quality(Settings):
    """When a channel of a recording is bad, and what becomes of it; see docs/quality.md for the sources."""

    bad_channels: Literal["mask", "interpolate"] = "mask"
    """`mask`: bad channels are stored as zeros, which models take for absent ones; `interpolate`: spherical
    splines over the good ones. Test releases are stored as recorded, as the challenge's scorer has them."""
    max_interpolated: float = Field(default=0.25, gt=0, lt=1)
    """Where a larger share of channels is bad they are masked, not interpolated: too little is left."""
    flat_uv: float = Field(default=1.0, gt=0)
    """A second in which a channel moves less than this (µV, peak to peak) is flat; a channel that is flat in
    more than half of the recording is bad."""
    max_dropouts: float = Field(default=0.01, ge=0, le=1)
    """Share of flat seconds above which a channel is bad."""
    max_clipped: float = Field(default=0.01, ge=0, le=1)
    """Share of samples at the amplifier's limits, or beyond the store's, above which a channel is bad."""
    noisy_deviations: float = Field(default=5.0, gt=0)
    """Robust deviations of log amplitude above the other channels that make a channel bad."""
    min_correlation: float = Field(default=0.4, gt=-1, lt=1)
    """A second in which a channel correlates less with what the others predict for it is uncorrelated."""
    max_uncorrelated: float = Field(default=0.05, ge=0, le=1)
    """Share of uncorrelated seconds above which a channel is bad."""
    mains_hz: Literal[50, 60] = 60
    """Frequency of the mains where the recordings were made."""
    line_noise_deviations: float = Field(default=4.0, gt=0)
    """Robust deviations of log hum above the other channels that make a channel bad, if its hum also exceeds
    its EEG."""


class Windows(Settings):
    """The window index: which windows are candidates and which are kept."""

    seconds: float = Field(default=2.0, gt=0)
    """Length of every window except the challenge's own, in seconds."""
    stride_seconds: float = Field(default=2.0, gt=0)
    """Distance between pretraining windows in seconds."""
    movie_stride_seconds: float = Field(default=1.0, gt=0)
    """Spacing of the grid of movie time shared by all subjects, in seconds."""
    max_peak_to_peak: float = Field(default=800.0, gt=0)
    """Windows whose median channel exceeds this peak-to-peak amplitude (µV) are dropped from training."""
    max_bad_channels: float = Field(default=0.3, ge=0, le=1)
    """Windows with a larger share of flat or outlying channels are dropped from training."""


class Splits(Settings):
    """Who trains, who selects, who is scored."""

    test_releases: tuple[str, ...] = ("R5",)
    """Releases that are only ever scored."""
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the training subjects held out to select and stop."""
    excluded_subjects: tuple[str, ...] = EXCLUDED_SUBJECTS
    """Subjects left out altogether."""


class EncoderInput(Settings):
    """What stands before every network: a common reference and a fixed set of channels."""

    adapter: Literal["perceiver", "interpolation", "zero_pad"] = "perceiver"
    """How a montage reaches the encoder's channels."""
    layout: Literal["ten_twenty", "hbn_128"] = "ten_twenty"
    """The encoder's own channels: 21 electrodes of the 10-20 system or the 128 of the HBN net."""
    reference: Literal["average", "linked_ears", "recorded"] = "average"
    """What every window is referenced to, in training and when scored: the mean of its good channels, the
    mean of the good channels nearest to the two ears, or nothing other than it was recorded with."""

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, data: Any) -> Any:
        """A key that an overlay sets to null has its default again."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None}


class EncoderSettings(EncoderInput):
    """Architecture of this package's own encoder; read by phases that start from random weights."""

    patch_seconds: float = Field(default=0.5, gt=0)
    """Length of a patch (one token of one channel) in seconds."""
    dim: int = Field(default=64, gt=0)
    """Width of a token."""
    depth: int = Field(default=4, gt=0)
    """Number of transformer blocks."""
    heads: int = Field(default=4, gt=0)
    """Attention heads; must divide `dim`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout inside the blocks during training."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "EncoderSettings":
        if self.dim % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide dim ({self.dim})")
        return self


class BraindecodeSettings(EncoderInput):
    """A network of braindecode in the encoder's place; see docs/encoders.md."""

    braindecode: str
    """Name of a class in `braindecode.models`."""
    options: Mapping[str, Any] = {}
    """Keyword arguments of that class; those of the signal (channels, times, rate) are set here."""
    weights: Path | None = None
    """A local file of published weights (`.safetensors`, `.pt`, `.pth`, `.bin`) to start from; none starts
    from random ones."""
    sfreq: float | None = Field(default=None, gt=0)
    """Sampling rate (Hz) to which windows are resampled for the network; null is the one its published
    weights were trained at (CBraMod and Labram: 200), for others that of the shards."""
    microvolts: float | None = Field(default=None, gt=0)
    """What the network gets as 1, in µV; null is 100 for CBraMod and Labram, 20 for others."""

    @model_validator(mode="before")
    @classmethod
    def _own_settings_do_not_apply(cls, data: Any) -> Any:
        foreign = set(data) & (set(EncoderSettings.model_fields) - set(cls.model_fields))
        if foreign:
            raise ValueError(
                f"{sorted(foreign)[0]} is a setting of this package's own encoder, not of braindecode's "
                f"{data['braindecode']}: remove it (null in an overlay); the network's own go under options"
            )
        return data


def _encoder_kind(value: Any) -> str:
    if isinstance(value, Mapping):
        named = value.get("braindecode") is not None
    else:
        named = isinstance(value, BraindecodeSettings)
    return (BraindecodeSettings if named else EncoderSettings).__name__


AnyEncoder = Annotated[
    Annotated[EncoderSettings, Tag("EncoderSettings")]
    | Annotated[BraindecodeSettings, Tag("BraindecodeSettings")],
    Discriminator(_encoder_kind),
]
"""The two kinds of encoder as the configuration holds them; `braindecode` tells them apart."""
Architecture = EncoderSettings | BraindecodeSettings
"""The two kinds of encoder as code names them."""

MASKABLE_NETWORKS = ("CBraMod",)
"""Networks of braindecode that replace hidden patches before anything mixes them, as masked modelling needs;
`cerebro.models.braindecode_encoder` hides them."""
SCORER_NETWORKS = (
    *("AttentionBaseNet", "Deep4Net", "EEGInceptionERP", "EEGNeX", "EEGNet", "EEGSimpleConv", "SCCNet"),
    *("SPARCNet", "ShallowFBCSPNet", "TIDNet", "TSception"),
)
"""Networks with the same options, weights and answers (bit by bit) in braindecode 1.8.1, pinned here, and in
1.2.0, which the challenge's scorer has; see docs/encoders.md. A submission may use these."""
CHALLENGE_SECONDS = 2.0
"""Length of the windows that the challenge's scorer hands over, in seconds."""


class Node(Settings):
    """What every node of the graph has: trainings and baselines."""

    seed: int = 0
    """Seed of initial weights, sampling, masks, and of labels that are shuffled."""
    subject_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training subjects of each dataset that this node learns from; a smaller share is a part of
    a larger one. Validation subjects are always all of them."""
    subject_seed: int = 0
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
    learning_rate: float = Field(default=5e-4, gt=0)
    """Peak learning rate of AdamW."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Weight decay of AdamW on matrices."""
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of all steps over which the learning rate rises linearly; a cosine follows."""
    clip_norm: float = Field(default=3.0, gt=0)
    """Gradient norm above which gradients are scaled down."""
    keep: Literal["best", "last"] = "best"
    """Weights that are kept: of the epoch with the least validation loss, the start included, or the last
    epoch's. With few validation subjects the best epoch is a matter of luck."""
    patience: int = Field(default=1000, gt=0)
    """Epochs without a better validation loss after which training stops."""
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
    auxiliary: dict[AuxiliaryTask, Annotated[float, Field(gt=0)]] = HBN_AUXILIARY_TASKS
    """Weight of each auxiliary task; empty trains none."""
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
    sources: dict[PairSource, Annotated[float, Field(gt=0)]] = Field(default={"movie": 1.0}, min_length=1)
    """Sources of pairs and their weights, shares of every batch and of the loss: `movie` (same movie, same
    time), `resting_state` (eyes open against closed), `task` (same kind and phase of trial)."""
    subjects_per_moment: int = Field(default=2, ge=2)
    """Subjects whose windows of one moment stand together in a batch; a batch holds `batch_size` divided by
    this number of moments."""
    temperature: float = Field(default=0.07, gt=0)
    """Temperature of InfoNCE, or where a learned one starts."""
    learn_temperature: bool = False
    """Whether the temperature is learned with the weights."""
    exclusion_seconds: float = Field(default=4.0, ge=0)
    """Moments of one movie or kind of trial closer than this are never negatives of each other."""
    jitter_seconds: float = Field(default=0.0, ge=0, le=1)
    """Film windows of a moment start up to this much earlier or later (s) in training, in all subjects alike:
    a film has more moments than the index has windows of it."""
    projection_dim: int = Field(default=64, gt=0)
    """Width of the projection in which similarity is measured."""


class FinetunePhase(Phase):
    """Phase 3: regression of one challenge's target."""

    kind: Literal["finetune"]
    """This kind of phase."""
    target: Target
    """`reaction_time` (Challenge 1) or `externalizing` (Challenge 2)."""
    objective: Literal["mse", "huber", "distribution"] = "mse"
    """`mse` or `huber`: plain regression; `distribution`: probabilities of bins of 0.1 s, trained by cross
    entropy with soft targets around the true reaction time, whose expectation is the prediction."""
    target_width_seconds: float = Field(default=0.1, gt=0)
    """Standard deviation (s) of the soft targets of a `distribution`."""
    through: tuple[Literal["age", "sex", "p_factor", "attention", "internalizing"], ...] = ()
    """What is predicted first, for externalizing to follow from it by a ridge regression over training
    subjects; empty predicts externalizing directly."""
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
    """Training windows start up to this much earlier or later (s), and the reaction time moves with them."""
    channel_drop: float = Field(default=0.0, ge=0, lt=1)
    """Probability with which each channel of a training window is left out."""
    shuffle_labels: bool = False
    """A control: training labels are permuted, reaction times between windows and externalizing between
    subjects. What scores better than the mean all the same has seen what it should not."""

    @model_validator(mode="after")
    def _options_fit_together(self) -> "FinetunePhase":
        if self.target != "reaction_time":
            for name, used in (
                ("jitter_seconds", self.jitter_seconds),
                ("objective", self.objective == "distribution"),
            ):
                if used:
                    value = getattr(self, name)
                    raise ValueError(
                        f"{name}: {value} is for target reaction_time; {self.target} has no moment"
                    )
        if self.target != "externalizing" and self.through:
            raise ValueError(f"through is for target externalizing, not {self.target}")
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
    target: Target
    """`reaction_time` (Challenge 1) or `externalizing` (Challenge 2)."""
    features: Literal["mean", "age_sex", "age_sex_run", "spectral", "covariance"]
    """`mean`: the training mean; `age_sex`, `age_sex_run`: what the tables say of subject and run;
    `spectral`: log band power of 21 channels; `covariance`: covariance of 19 channels, in tangent space."""
    penalties: tuple[float, ...] = Field(default=RIDGE_PENALTIES, min_length=1)
    """Ridge penalties tried by cross-validation over training subjects; the largest is close to the mean."""
    shuffle_labels: bool = False
    """A control: training labels are permuted, as in a finetune phase."""


AnyPhase = Annotated[
    TokenizerPhase | PretrainPhase | ContrastPhase | FinetunePhase, Field(discriminator="kind")
]
"""The trainings."""
AnyNode = Annotated[
    TokenizerPhase | PretrainPhase | ContrastPhase | FinetunePhase | BaselinePhase,
    Field(discriminator="kind"),
]
"""All nodes of the graph."""


class Probes(Settings):
    """Linear models on frozen features, after every phase and for a random encoder."""

    targets: tuple[ProbeTarget, ...] = Field(default=get_args(ProbeTarget), min_length=1)
    """What is predicted; see docs/probes.md."""
    max_windows_per_subject: int = Field(default=60, gt=0)
    """Windows of one subject in one set of windows (`fixed`, `eyes`, `trial`, `movie`), evenly spread."""
    penalties: tuple[float, ...] = Field(default=(1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6), min_length=1)
    """Ridge penalties (and inverse logistic C) tried by cross-validation over subjects."""


class AdapterComparison(Settings):
    """What `snakemake adapters` compares channel adapters with; no other step reads it."""

    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
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
    """How alike held-out subjects respond to the same film, for every encoder."""

    exclusion_seconds: float = Field(default=4.0, ge=0)
    """Moments of a film closer to the right one than this are no candidates of retrieval."""
    temperature: float = Field(default=0.07, gt=0)
    """Temperature of the InfoNCE that is reported, the same for all encoders."""
    components: int = Field(default=3, gt=0)
    """Correlated components of the signal that the control uses."""
    max_subjects: int = Field(default=40, ge=2)
    """Subjects of a split that are compared, evenly spread; memory and time grow with their number and its
    square."""


class Submission(Settings):
    """Which phases answer the two challenges."""

    challenge_1: str
    """A finetune phase with target `reaction_time`."""
    challenge_2: str
    """A finetune phase with target `externalizing`."""


class Ablations(Settings):
    """What `snakemake ablations` compares: variants of the graph of phases, each with several seeds."""

    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    """Added to the seed of every phase of a variant; the simulation and the splits stay as they are."""
    compare: tuple[str, ...] = ()
    """The variants to compare, by name; empty compares all."""
    variants: dict[str, dict[str, Any]]
    """Overlays on `phases` by name, merged key by key; an entry of another `kind` takes a phase's place. The
    key `submission` is an overlay on that section. `full`, which changes nothing, stands beside them."""

    @model_validator(mode="after")
    def _names_are_free(self) -> "Ablations":
        for name, what in (("full", "the study as it is"), ("oracle", "who reads the simulation's truth")):
            if name in self.variants:
                raise ValueError(f"variants.{name}: this name is reserved for {what}")
        for name in self.compare:
            if name not in self.variants:
                raise ValueError(f"compare: there is no variant '{name}'{_hint(name, self.variants)}")
        return self


class Statistics(Settings):
    """How sure each number is."""

    resamples: int = Field(default=2000, ge=100)
    """Bootstrap resamples of subjects behind each 95 % interval."""


class Compute(Settings):
    """Devices and workers: they cannot change what is computed, so no step re-runs when they change."""

    accelerator: str = "auto"
    """Lightning's accelerator: `auto`, `cpu`, `gpu`."""
    devices: int | Literal["auto"] = "auto"
    """Number of devices; more than one trains with DDP."""
    precision: str = "32-true"
    """Lightning's precision, for instance `bf16-mixed` on a GPU."""
    workers: int = Field(default=0, ge=0)
    """Processes that load batches; 0 loads in the training process."""
    threads: int = Field(default=2, gt=0)
    """CPU threads of a training job."""


class Config(Settings):
    """The whole configuration."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$")
    """Name of the study; everything is written to `results/<name>/`."""
    simulation: Simulation | None = None
    """The embedded raw data; null when all datasets have roots of their own."""
    datasets: dict[str, Dataset] = Field(min_length=1)
    """Archives by name."""
    download: Download | None = None
    """What `snakemake download` fetches."""
    preprocessing: Preprocessing = Preprocessing()
    """From raw samples to shards."""
    quality: Quality = Quality()
    """Bad channels."""
    windows: Windows = Windows()
    """The window index."""
    splits: Splits = Splits()
    """Who trains, who selects, who is scored."""
    encoder: AnyEncoder = EncoderSettings()
    """Architecture of encoders that start from random weights."""
    phases: dict[str, AnyNode] = Field(min_length=1)
    """The graph of trainings and baselines, by name."""
    probes: Probes = Probes()
    """Linear probes."""
    adapters: AdapterComparison = AdapterComparison()
    """The comparison of channel adapters."""
    isc: InterSubject = InterSubject()
    """Inter-subject correlation of embeddings."""
    submission: Submission
    """Which phases answer the challenges."""
    ablations: Ablations | None = None
    """Variants of the graph of phases; no other target than `ablations` trains them."""
    statistics: Statistics = Statistics()
    """Intervals."""
    compute: Compute = Compute()
    """Devices and workers."""

    @model_validator(mode="before")
    @classmethod
    def _complete_encoders(cls, data: Any) -> Any:
        """A phase's own `encoder` is an overlay on the study's, key by key."""
        if not isinstance(data, Mapping) or not isinstance(data.get("phases"), Mapping):
            return data
        study = data.get("encoder", {})
        return {**data, "phases": {key: _with_encoder(node, study) for key, node in data["phases"].items()}}

    def _encoder_fits(self, name: str) -> None:
        phases = trainings(self.phases)
        encoder, phase = encoder_of(phases, name, self.encoder), phases[name]
        if not isinstance(encoder, BraindecodeSettings):
            return
        network = encoder.braindecode
        if isinstance(phase, TokenizerPhase):
            raise ValueError(
                f"phases.{name}: kind tokenizer needs this package's own encoder, not braindecode: "
                f"{network}; say encoder: {{braindecode: null}}"
            )
        if isinstance(phase, PretrainPhase) and network not in MASKABLE_NETWORKS:
            raise ValueError(
                f"phases.{name}: kind pretrain needs an encoder that hides patches, which braindecode: "
                f"{network} cannot; these can: {', '.join(MASKABLE_NETWORKS)}"
            )
        if self.windows.seconds != CHALLENGE_SECONDS:
            raise ValueError(
                f"windows.seconds must be {CHALLENGE_SECONDS:g} with encoder.braindecode: {network} is built "
                "for windows of one length, and the challenge's have that"
            )

    @model_validator(mode="after")
    def _references_hold(self, info: ValidationInfo) -> "Config":
        for name, dataset in self.datasets.items():
            if not dataset.roots and self.simulation is None:
                raise ValueError(f"datasets.{name}.roots is empty and there is no simulation to read instead")
        for name, phase in self.phases.items():
            if name in ("random", "signal", ""):
                raise ValueError(f"phases.{name}: this name is reserved for what needs no training")
            if name == "submission":
                raise ValueError(f"phases.{name}: this name is reserved for that section in a variant")
            for key, parent in parents(phase).items():
                if parent not in self.phases:
                    raise ValueError(
                        f"phases.{name}.{key}: there is no phase '{parent}'{_hint(parent, self.phases)}"
                    )
                if isinstance(self.phases[parent], BaselinePhase):
                    raise ValueError(
                        f"phases.{name}.{key}: '{parent}' is a baseline and has no encoder to start from"
                    )
            if isinstance(phase, BaselinePhase):
                continue
            if phase.init is not None and phase.encoder is not None:
                raise ValueError(
                    f"phases.{name}.encoder: this phase has the encoder of '{phase.init}', where it starts; "
                    "remove encoder or init"
                )
            if isinstance(phase, TokenizerPhase) and (missing := set(phase.datasets) - set(self.datasets)):
                raise ValueError(f"phases.{name}.datasets: there is no dataset '{sorted(missing)[0]}'")
            if isinstance(phase, PretrainPhase):
                if phase.tokenizer and not isinstance(self.phases[phase.tokenizer], TokenizerPhase):
                    raise ValueError(f"phases.{name}.tokenizer: '{phase.tokenizer}' is no tokenizer phase")
                if unknown := set(phase.mix) - set(self.datasets):
                    gone = sorted(unknown)[0]
                    raise ValueError(
                        f"phases.{name}.mix: there is no dataset '{gone}'; `{gone}: null` takes it out"
                    )
        for name in trainings(self.phases):
            self._encoder_fits(name)
        for key, target in (("challenge_1", "reaction_time"), ("challenge_2", "externalizing")):
            name = getattr(self.submission, key)
            node = self.phases.get(name)
            if isinstance(node, BaselinePhase) and node.target == target:
                if info.context == COMPARED:
                    continue
                raise ValueError(
                    f"submission.{key}: '{name}' is a baseline: ablations can compare it, but it has no "
                    "encoder to package; name a finetune phase"
                )
            if not isinstance(node, FinetunePhase) or node.target != target:
                raise ValueError(f"submission.{key}: '{name}' is no finetune phase with target {target}")
        return self


def read_architecture(content: Any) -> Architecture:
    """Validate one `encoder` section, as a step is handed it."""
    return TypeAdapter(AnyEncoder).validate_python(content)


def not_at_the_scorer(network: str) -> str:
    """Why a phase with a network of braindecode cannot be submitted, and which can."""
    return (
        f"has braindecode's {network} for an encoder, which the challenge's scorer lacks or has in another "
        f"form (braindecode 1.2.0); name a phase with this package's own encoder or with one of "
        f"{', '.join(SCORER_NETWORKS)}"
    )


def _with_encoder(phase: Any, study: Any) -> Any:
    """A phase's own encoder completed from the study's: wholly, or where networks differ by their input."""
    own = phase.get("encoder") if isinstance(phase, Mapping) else None
    if not isinstance(own, Mapping) or not isinstance(study, Mapping):
        return phase
    network = study.get("braindecode")
    if own.get("braindecode", network) != network:
        study = {key: value for key, value in study.items() if key in EncoderInput.model_fields}
    return {**phase, "encoder": {**study, **own}}


def _without_removed(key: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: entry for name, entry in entries.items() if entry is not None}
    if entries and not kept:  # a default would not come back, and nobody asked for nothing
        raise ValueError(
            f"{key}: null removes an entry that is written out, and none is left; write those to keep"
        )
    return kept


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


def _hint(word: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"


COMPARED = "compared"
"""Context in which a configuration is validated for comparison only: baselines may answer challenges."""


def load_config(
    content: Mapping[str, Any], *, where: str = "configuration", context: str | None = None
) -> Config:
    """Validate merged YAML.

    Parameters
    ----------
    content : mapping
    where : str
        What is validated, to name it in the error.
    context : str, optional
        :data:`COMPARED` for a configuration whose submission nobody will package.

    Raises
    ------
    UserError
        One line per fault: the key, what is wrong with it, and the nearest valid key.
    """
    try:
        return Config.model_validate(content, context=context)
    except ValidationError as error:
        faults = [_describe(fault, where) for fault in error.errors()]
        raise UserError("; ".join(dict.fromkeys(faults))) from None


def _describe(fault: Any, where: str) -> str:
    path = list(fault["loc"])
    if path[:1] == ["phases"]:
        del path[2:3]  # pydantic inserts the union's tag after the phase's name
    path = [part for part in path if part not in ("EncoderSettings", "BraindecodeSettings")]
    key = ".".join(str(part) for part in path)
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'{_hint(str(path[-1]), _known_keys(fault['loc']))}"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {key}: {message}" if key else f"{where}: {message}"


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The valid keys beside an unknown one, found by walking the JSON schema along its location."""
    schema = Config.model_json_schema()
    node: dict[str, Any] = schema
    for part in loc[:-1]:
        if part in schema["$defs"]:  # a tag that is a model's name
            node = {"$ref": f"#/$defs/{part}"}
            continue
        node = _resolve(schema, node)
        if "discriminator" in node:
            node = _resolve(schema, {"$ref": node["discriminator"]["mapping"][part]})
            continue
        properties = node.get("properties", {})
        node = properties[part] if part in properties else node.get("additionalProperties", {})
    return list(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", []):
        if "$ref" in option:
            node = option
    reference = node.get("$ref")
    return schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else node


def config_schema() -> str:
    """The JSON schema of the configuration, as committed in ``workflow/schemas/config.schema.json``."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
