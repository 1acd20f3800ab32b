"""What the workflow asks of each step: paths, groups, parents, and the settings that the step reads.

Rule files hold no logic; they name a method of :class:`Plan`. Settings are JSON text, so that Snakemake can
compare them with those of the last run and a person can paste them into a command line.
"""

import json
import shutil
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from cerebro.config import AnyPhase, Config, Dataset, Settings, lineage, parents
from cerebro.errors import UserError
from cerebro.files import digest_text
from cerebro.provenance import code_digest
from cerebro.recordings.folders import walk_files
from cerebro.recordings.groups import group_index, group_name

KINDS = tuple(get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(AnyPhase)[0]))
"""The kinds of phases; each is the module of that name in `cerebro.phases`."""

RANDOM = "random"
"""The name under which an untrained encoder is probed."""


class Plan:
    """The steps of one study.

    Parameters
    ----------
    config
        The validated configuration.

    Raises
    ------
    UserError
        A folder under ``datasets.*.roots`` does not exist.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = f"results/{config.name}"
        self.phases = list(config.phases)
        self.encoders = [*self.phases, RANDOM]
        self.groups = [
            group_name(name, index) for name, part in config.datasets.items() for index in range(part.groups)
        ]
        for name, dataset in config.datasets.items():
            for root in dataset.roots:
                if not root.is_dir():
                    raise UserError(f"configuration: datasets.{name}.roots: there is no folder {root}")

    @property
    def simulated(self) -> bool:
        """Whether any dataset is read from the simulation."""
        return any(not dataset.roots for dataset in self.config.datasets.values())

    def markers(self, group: str | None = None) -> list[str]:
        """The simulation's marker, where a group (none: any dataset) comes from the simulation."""
        wanted = self.simulated if group is None else not self._dataset(group).roots
        return [f"{self.results}/raw/simulation.json"] if wanted else []

    def simulation_settings(self) -> str:
        """What ``simulate`` reads."""
        return _json(self.config.simulation)

    def inventory_settings(self) -> str:
        """What ``inventory`` reads."""
        return _json(
            {
                "datasets": self.config.datasets,
                "excluded_subjects": self.config.splits.excluded_subjects,
            }
        )

    def raw_option(self) -> list[str]:
        """The part of the command line that names the simulated archives."""
        return ["--raw", f"{self.results}/raw"] if self.simulated else []

    def found(self) -> str:
        """Digest of every file below the configured roots: the inventory notices what came and went."""
        return digest_text(repr(sorted(self._listings.items())))

    def members(self, group: str) -> str:
        """Digest of what decides which recordings a group holds, and of their files.

        A new subject changes the digest of its own group only.
        """
        dataset = self._dataset(group)
        files = self._listings.get(group, "")
        simulated = "" if dataset.roots else sorted(self._excluded)
        return digest_text(_json({"dataset": dataset, "files": files, "excluded": simulated}))

    def shard_settings(self) -> str:
        """What ``shard`` reads."""
        return _json(self.config.preprocessing)

    def windows_settings(self) -> str:
        """What ``windows`` reads."""
        return _json({"windows": self.config.windows, "splits": self.config.splits})

    def phase_parents(self, phase: str) -> dict[str, str]:
        """Folders of the phases that this one needs, by the key that names them."""
        return {key: self.phase_folder(name) for key, name in parents(self.config.phases[phase]).items()}

    def phase_folder(self, phase: str) -> str:
        """Where a phase writes."""
        return f"{self.results}/phases/{phase}"

    def phase_settings(self, phase: str) -> str:
        """What ``phase`` reads; the encoder's architecture only where it starts from random weights."""
        node = self.config.phases[phase]
        settings: dict[str, Any] = {"phase": node, "lineage": lineage(self.config.phases, phase)}
        if node.init is None:
            settings["encoder"] = self.config.encoder
        return _json(settings)

    def phase_code(self, phase: str) -> str:
        """Digest of the code behind a phase, the modules of other kinds left out."""
        others = sorted(set(KINDS) - {self.config.phases[phase].kind})
        return code_digest("cerebro.phases.run", without=tuple(f"cerebro.phases.{kind}" for kind in others))

    def needed_windows(self, *phases: str) -> str:
        """What ``check-windows`` reads: what decides which windows the phases (none: all) take."""
        deciding = {"kind", "target", "mix", "tokenizer"}
        chosen = {name: self.config.phases[name] for name in phases or self.phases}
        return _json({"phases": {n: p.model_dump(include=deciding) for n, p in chosen.items()}})

    def encoder_files(self, encoder: str) -> list[str]:
        """The files of a phase's encoder; none for the untrained one."""
        if encoder == RANDOM:
            return []
        return [f"{self.phase_folder(encoder)}/{name}" for name in ("encoder.safetensors", "card.json")]

    def encoder_option(self, encoder: str) -> list[str]:
        """The part of the command line that names the encoder to probe."""
        return [] if encoder == RANDOM else ["--encoder", self.phase_folder(encoder)]

    def answers(self) -> dict[str, str]:
        """Cards of the phases that answer the challenges, by challenge."""
        return {
            key: f"{self.phase_folder(name)}/card.json"
            for key, name in self.config.submission.model_dump().items()
        }

    def probe_settings(self, encoder: str) -> str:
        """What ``probe`` reads; the architecture only for the untrained encoder."""
        settings: dict[str, Any] = {
            "probes": self.config.probes,
            "statistics": self.config.statistics,
            "seed": 0,
        }
        if encoder == RANDOM:
            settings["encoder"] = self.config.encoder
        return _json(settings)

    def score_settings(self) -> str:
        """What ``score`` reads."""
        return _json(self.config.statistics)

    def compute_settings(self) -> str:
        """Devices and workers: handed over beside the settings, since they never re-run a step."""
        return _json(self.config.compute)

    @property
    def gpus(self) -> int:
        """Accelerators that a job asks the scheduler for; ``auto`` means what this machine has."""
        here = 0 if shutil.which("nvidia-smi") is None else 1
        return {"cpu": 0, "auto": here}.get(self.config.compute.accelerator, 1)

    def _dataset(self, group: str) -> Dataset:
        return self.config.datasets[group.rpartition("-")[0]]

    @property
    def _excluded(self) -> set[str]:
        return {subject.removeprefix("sub-") for subject in self.config.splits.excluded_subjects}

    @cached_property
    def _listings(self) -> dict[str, str]:
        """Per group the names, sizes and times of its files; files of no subject stand under the dataset.

        Recordings and their sidecars begin with their subject in every archive; excluded subjects have none.
        """
        listings: dict[str, list[str]] = {}
        for name, dataset in self.config.datasets.items():
            for path in walk_files(dataset.roots):
                subject, separator, _ = path.name.partition("_")
                if separator and subject.removeprefix("sub-") in self._excluded:
                    continue
                key = group_name(name, group_index(subject, dataset.groups)) if separator else name
                listings.setdefault(key, []).append(_line(path))
        return {key: digest_text("\n".join(sorted(lines))) for key, lines in listings.items()}


def _line(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:  # a link to content that has not been downloaded
        return f"{path} missing"
    return f"{path} {stat.st_size} {stat.st_mtime_ns}"


def _json(content: Any) -> str:
    return json.dumps(_plain(content))


def _plain(content: Any) -> Any:
    if isinstance(content, Settings):
        return content.model_dump(mode="json")
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return content
