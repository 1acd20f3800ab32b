"""The whole configuration, and what its sections must have in common."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field, ValidationInfo, model_validator

from cerebro.config.analyses import (
    Ablations,
    AdapterComparison,
    Compute,
    InterSubject,
    Probes,
    Statistics,
    Submission,
)
from cerebro.config.archives import Dataset, Download, Preprocessing, Quality, Simulation, Splits, Windows
from cerebro.config.encoders import (
    CHALLENGE_SECONDS,
    MASKABLE_NETWORKS,
    AnyEncoder,
    BraindecodeSettings,
    EncoderInput,
    EncoderSettings,
)
from cerebro.config.labels import CROP, AnyLabel, kind_of_windows
from cerebro.config.nodes import (
    AnyNode,
    BaselinePhase,
    FinetunePhase,
    PretrainPhase,
    TokenizerPhase,
    encoder_of,
    parents,
    trainings,
)
from cerebro.config.references import unknown_references
from cerebro.config.settings import Settings, hint


class Config(Settings):
    """The whole configuration."""

    extends: str | None = None
    """A layer below this one: `challenge` (HBN and TUH, five phases, the submission), `demo` (that on
    simulated recordings), or a file; it is read before this one, and after the layers that it extends."""
    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$")
    """Name of the study; everything is written to `results/<name>/`. It holds letters, digits, `_` and `-`,
    begins with another than `-`, and has up to 100 of them."""
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
    labels: dict[str, AnyLabel] = Field(default={})
    """What is known of people, recordings, intervals and events, by name; docs/labels.md."""
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
    submission: Submission | None = None
    """Which phases answer the two challenges; null packages nothing."""
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
        if self.submission is not None and self.windows.seconds != CHALLENGE_SECONDS:
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
            if name in ("random", "signal", "covariance", "") or name.startswith(("random-", "oracle-")):
                raise ValueError(f"phases.{name}: this name is reserved for what needs no training")
            if name == "submission":
                raise ValueError(f"phases.{name}: this name is reserved for that section in a variant")
            for key, parent in parents(phase).items():
                if parent not in self.phases:
                    raise ValueError(
                        f"phases.{name}.{key}: there is no phase '{parent}'{hint(parent, self.phases)}"
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
        for fault in unknown_references(self):
            raise ValueError(fault)
        if self.submission is not None:
            self._submission_holds(self.submission, compared=info.context == COMPARED)
        return self

    def _submission_holds(self, submission: Submission, *, compared: bool) -> None:
        for challenge, names in submission.answers().items():
            target = CHALLENGES[challenge].target
            if target not in self.labels:
                raise ValueError(f"submission: challenge {challenge} needs the label {target}; {STANDS_ON}")
            for name in names:
                self._may_answer(challenge, name, compared=compared)
        if submission.smooth_windows > 1 and not compared:
            raise ValueError(
                "submission.smooth_windows: the challenge shows a model one window at a time, so no zip can "
                "average over neighbours; ask for it in a variant of ablations"
            )

    def _may_answer(self, challenge: int, name: str, *, compared: bool) -> None:
        key, node = f"submission.challenge_{challenge}", self.phases.get(name)
        kind, target = CHALLENGES[challenge]
        if isinstance(node, FinetunePhase | BaselinePhase) and node.target == target:
            found = node.windows or kind_of_windows(target, self.labels[target])
            if found != kind:
                raise ValueError(
                    f"{key}: '{name}' learns from windows of kind {found}, and the challenge asks about "
                    f"those of kind {kind}; say windows: {kind}"
                )
        if isinstance(node, BaselinePhase) and node.target == target:
            if compared:
                return
            raise ValueError(
                f"{key}: '{name}' is a baseline: ablations can compare it, but it has no encoder to package; "
                "name a finetune phase"
            )
        if not isinstance(node, FinetunePhase) or node.target != target:
            raise ValueError(f"{key}: '{name}' is no finetune phase with target {target}")


def _with_encoder(phase: Any, study: Any) -> Any:
    """A phase's own encoder completed from the study's: wholly, or where networks differ by their input."""
    own = phase.get("encoder") if isinstance(phase, Mapping) else None
    if not isinstance(own, Mapping) or not isinstance(study, Mapping):
        return phase
    network = study.get("braindecode")
    if own.get("braindecode", network) != network:
        study = {key: value for key, value in study.items() if key in EncoderInput.model_fields}
    return {**phase, "encoder": {**study, **own}}


class Challenge(NamedTuple):
    """What a challenge scores: answers to all windows of a kind that have the target's label."""

    kind: str
    target: str


CHALLENGES = {1: Challenge("reaction_time", "reaction_time"), 2: Challenge(CROP, "externalizing")}
"""What each challenge asks for, by its number."""
STANDS_ON = "`extends: challenge` declares HBN's labels"
COMPARED = "compared"
"""Context in which a configuration is validated for comparison only: baselines may answer challenges, and
answers may be smoothed."""
