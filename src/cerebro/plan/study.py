"""The study as every step sees it: its nodes, who answers in it, and where things lie."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cerebro.config import (
    CHALLENGES,
    AnyLabel,
    Architecture,
    BaselinePhase,
    Config,
    EncoderSettings,
    MomentLabel,
    Phase,
    Settings,
    encoder_of,
    trainings,
)
from cerebro.errors import UserError
from cerebro.files import atomic_path, digest_text
from cerebro.plan.networks import check_networks
from cerebro.recordings.groups import group_name
from cerebro.scoring.floors import demographic_labels
from cerebro.study.stages import COVARIANCE, RANDOM, SIGNAL, is_no_phase, untrained
from cerebro.study.variants import Lineup, answering, expand, has_oracle


class StudyPlan:
    """The graph of one study; the plans of its steps build on it.

    Parameters
    ----------
    config
        The validated configuration.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = f"results/{config.name}"
        self._handed: dict[Path, str] = {}
        nodes, self.submitted = answering(config)
        self.incomparable: UserError | None = None
        self.lineups: list[Lineup] = []
        try:
            nodes, self.lineups = expand(config)
        except UserError as error:  # variants that do not fit stop their comparison, and nothing else
            self.incomparable = error
        self.baselines = {name: node for name, node in nodes.items() if isinstance(node, BaselinePhase)}
        self.nodes = trainings(nodes)
        self.phases = list(trainings(config.phases))
        self.encoders = [*self.phases, SIGNAL, RANDOM]
        self.probed = [*self.encoders, COVARIANCE]
        seeds = config.ablations.seeds if config.ablations else ()
        self.no_phases = list(dict.fromkeys([SIGNAL, RANDOM, COVARIANCE, *map(untrained, seeds)]))
        self.oracle_targets = [one.target for one in CHALLENGES.values()] if has_oracle(config) else []
        self.stimulus = next(_stimuli(config), None)
        self.checkpoints = [
            f"{name}@{number}"
            for name, phase in config.phases.items()
            if isinstance(phase, Phase)
            for number in range(1, phase.checkpoints + 1)
        ]
        self.groups = [
            group_name(name, index) for name, part in config.datasets.items() for index in range(part.groups)
        ]

    def handed(self, name: str, text: str) -> str:
        """The file in which something is handed to a step that may be longer than a command line.

        Linux takes 128 KiB as one argument, and 9,000 subjects have longer names. The file's name holds a
        digest of its content, so that another content is another parameter, which runs the step again.
        """
        stem, _, suffix = name.partition(".")
        path = f"{self.results}/state/settings/{stem}-{digest_text(text)}.{suffix}"
        self._handed[Path(path)] = text
        return path

    def handed_words(self, name: str, *words: str) -> str:
        """Such a file for words of a command line, one a line: lists grow with phases and seeds."""
        return self.handed(name, "".join(f"{word}\n" for word in words))

    def hand_over(self) -> None:
        """Write the files that steps are handed, before any of them begins."""
        for path, text in self._handed.items():
            if not path.exists():
                with atomic_path(path) as temporary:
                    temporary.write_text(text)

    def phase_folder(self, phase: str) -> str:
        """Where a phase writes."""
        return f"{self.results}/phases/{phase}"

    def encoder_files(self, encoder: str) -> list[str]:
        """The files of a phase's encoder; none for the untrained one."""
        if is_no_phase(encoder):
            return []
        phase, _, checkpoint = encoder.partition("@")
        weights = ["checkpoints.safetensors"] if checkpoint else ["encoder.safetensors", "head.safetensors"]
        return [f"{self.phase_folder(phase)}/{name}" for name in (*weights, "card.json")]

    def compute_settings(self) -> str:
        """Devices and workers: handed over beside the settings, since they never re-run a step."""
        return as_json(self.config.compute.model_dump(mode="json", exclude={"precision"}))

    def declared(self, names: Iterable[str]) -> dict[str, AnyLabel]:
        """The declarations of some labels, in their order in the configuration."""
        wanted = set(names)
        return {name: label for name, label in self.config.labels.items() if name in wanted}

    @property
    def demographics(self) -> dict[str, AnyLabel]:
        """The declarations of age and sex, which floors without EEG take."""
        return self.declared(demographic_labels(self.config.labels))

    def require_comparison(self) -> None:
        """Refuse to compare variants where there are none, or one does not fit the study."""
        if self.incomparable is not None:
            raise self.incomparable
        if not self.lineups:
            raise UserError("configuration: there is no section 'ablations', so nothing can be compared")
        check_networks(self.config, self.nodes)

    @property
    def parts(self) -> list[str]:
        """The files of rules that this study has; what it lacks is not planned."""
        return [
            *("download", "data", "phases", "probes", "adapters"),
            *(["isc"] if self.stimulus else []),
            "scores",
            *(["submission"] if self.submitted else []),
            "summary",
            "ablations",
        ]

    @property
    def gpus(self) -> int:
        """Accelerators that a job asks the scheduler for; ``auto`` means what this machine has."""
        here = 0 if shutil.which("nvidia-smi") is None else 1
        return {"cpu": 0, "auto": here}.get(self.config.compute.accelerator, 1)

    @property
    def untrained_settings(self) -> dict[str, Any]:
        """The study's encoder for steps that take it with random weights."""
        return self.config.encoder.model_dump(mode="json", exclude={"weights"})

    def architecture(self, encoder: str) -> Architecture:
        """The architecture of a node's encoder, or of the untrained one."""
        study = self.config.encoder
        phase = encoder.partition("@")[0]
        return study if is_no_phase(encoder) else encoder_of(self.nodes, phase, study)

    def unused_modules(self, encoder: str) -> tuple[str, ...]:
        """Modules, and with them braindecode's version, that this package's own encoder never comes to."""
        own = isinstance(self.architecture(encoder), EncoderSettings)
        return ("cerebro.models.braindecode_encoder",) if own else ()


def _stimuli(config: Config) -> Iterator[str]:
    """The label that says which stimulus people met: the one that `isc` names, else the first."""
    yield from [] if config.isc.label is None else [config.isc.label]
    yield from (name for name, label in config.labels.items() if isinstance(label, MomentLabel))


def as_json(content: Any) -> str:
    """Settings as JSON text, models as their values."""
    return json.dumps(_plain(content))


def _plain(content: Any) -> Any:
    if isinstance(content, Settings):
        return content.model_dump(mode="json")
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return content
