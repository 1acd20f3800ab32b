"""What the workflow asks of each step: paths, groups, parents, and the settings that the step reads.

Rule files hold no logic; they name a method of :class:`Plan`. Settings are JSON text, so that Snakemake can
compare them with those of the last run and a person can paste them into a command line.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from cerebro.config import (
    AnyPhase,
    Architecture,
    BaselinePhase,
    BraindecodeSettings,
    Config,
    Dataset,
    EncoderSettings,
    Phase,
    Settings,
    encoder_of,
    lineage,
    parents,
    trainings,
)
from cerebro.errors import UserError
from cerebro.evaluation.targets import needed_sets
from cerebro.files import digest_text
from cerebro.foreign_encoders import check_networks
from cerebro.provenance import code_digest
from cerebro.recordings.exclusions import Exclusions, read_exclusions
from cerebro.recordings.folders import subject_of_file, walk_files
from cerebro.recordings.groups import group_index, group_name
from cerebro.recordings.readers import BUILT_IN, find_reader
from cerebro.stages import (
    RANDOM,
    Comparison,
    along_lineage,
    before_finetuning,
    is_untrained,
    untrained,
    untrained_seed,
)
from cerebro.variants import Lineup, answering, expand

KINDS = tuple(get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(AnyPhase)[0]))
"""The kinds of trainings; each is the module of that name in `cerebro.phases`."""

SIGNAL = "signal"
"""The name under which the signal itself is compared between subjects, without any encoder."""

_EVENTS = ("cerebro.recordings.events",)
"""Code that readers import and that neither the inventory nor a shard runs."""


class Plan:
    """The steps of one study.

    Parameters
    ----------
    config
        The validated configuration.

    Raises
    ------
    UserError
        A folder, list or reader that ``datasets`` names does not exist, or a network of braindecode or its
        weights, or it does not fit windows and layout.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.results = f"results/{config.name}"
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
        self.encoders = [*self.phases, RANDOM]
        self.compared = [*self.encoders, SIGNAL]
        seeds = config.ablations.seeds if config.ablations else ()
        self.untrained = list(dict.fromkeys([RANDOM, *map(untrained, seeds)]))
        self.checkpoints = [
            f"{name}@{number}"
            for name, phase in config.phases.items()
            if isinstance(phase, Phase)
            for number in range(1, phase.checkpoints + 1)
        ]
        self.groups = [
            group_name(name, index) for name, part in config.datasets.items() for index in range(part.groups)
        ]
        for name, dataset in config.datasets.items():
            for root in dataset.roots:
                if not root.is_dir() and not self._comes_by_download(root):
                    raise UserError(f"configuration: datasets.{name}.roots: there is no folder {root}")
        # Those of variants when they are asked for: building a network takes seconds.
        check_networks(config, trainings(config.phases))
        self._reader_files = {name: _reader_file(name, part) for name, part in config.datasets.items()}

    @property
    def simulated(self) -> bool:
        """Whether any dataset is read from the simulation."""
        return any(not dataset.roots for dataset in self.config.datasets.values())

    def markers(self, group: str | None = None) -> list[str]:
        """The simulation's marker, where a group (none: any dataset) comes from the simulation."""
        wanted = self.simulated if group is None else not self.config.datasets[_dataset_name(group)].roots
        return [f"{self.results}/raw/simulation.json"] if wanted else []

    def _comes_by_download(self, root: Path) -> bool:
        """Whether `snakemake download` makes this folder; then only the inventory needs it to be there."""
        if self.config.download is None:
            return False
        root, folder = root.absolute(), self.config.download.folder.absolute()
        return root.is_relative_to(folder) or folder.is_relative_to(root)

    def download_settings(self) -> str:
        """What ``download`` reads: its section, and where TUH should lie, which it can't fetch."""
        tuh = {
            name: [str(root) for root in part.roots]
            for name, part in self.config.datasets.items()
            if part.reader == "tuh" and part.roots
        }
        return _json({"download": self.config.download, "tuh": tuh})

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

    def inventory_code(self) -> str:
        """Digest of the code behind the inventory, readers of one's own included."""
        return code_digest(
            "cerebro.recordings.inventory", without=_EVENTS, files=_present(self._reader_files.values())
        )

    def inventory_state(self) -> str:
        """Where the headers that were read are remembered; other code that reads them starts anew."""
        return f"{self.results}/state/inventory/{code_digest('cerebro.recordings.headers')}"

    def found(self) -> str:
        """Digest of every file below the configured roots, and of lists of subjects.

        By it the inventory notices what came and went.
        """
        excluded = [part.digest() for part in self._exclusions.values()]
        return digest_text(repr((sorted(self._listings.items()), excluded)))

    def members(self, group: str) -> str:
        """Digest of what decides which recordings a group holds, and of their files.

        A new subject changes the digest of its own group only. Who is the subject of a file is known by the
        file's name in archives with a reader that is built in; with a reader of one's own, every file
        of the dataset counts for each of its groups.
        """
        name = _dataset_name(group)
        dataset = self.config.datasets[name]
        choice = dataset.model_dump(mode="json", include={"reader", "roots", "groups", "tasks", "releases"})
        by_name = dataset.reader in BUILT_IN
        files = self._listings.get((name, group if by_name else ""), "")
        # Where no file's name tells whose it is, a list of subjects may concern any group.
        excluded = "" if dataset.roots and by_name else self._exclusions[name].digest()
        return digest_text(_json({"dataset": choice, "files": files, "excluded": excluded}))

    def shard_code(self, group: str) -> str:
        """Digest of the code behind a shard: its own, and what finds the recordings of its dataset."""
        reader = self._reader_files[_dataset_name(group)]
        return code_digest(
            "cerebro.shards.build",
            "cerebro.recordings.inventory",
            without=_EVENTS,
            files=_present([reader]),
        )

    def shard_settings(self) -> str:
        """What ``shard`` reads."""
        return _json(
            {
                "preprocessing": self.config.preprocessing,
                "quality": self.config.quality,
                "test_releases": self.config.splits.test_releases,
            }
        )

    def windows_code(self) -> str:
        """Digest of the code behind the window index, readers of one's own included."""
        return code_digest("cerebro.shards.windows", files=_present(self._reader_files.values()))

    def windows_settings(self) -> str:
        """What ``windows`` reads."""
        limits = {name: part.max_failed_share for name, part in self.config.datasets.items()}
        splits = self.config.splits
        return _json({"windows": self.config.windows, "splits": splits, "max_failed_share": limits})

    def audit_settings(self) -> str:
        """What ``audit`` reads."""
        return _json(self.config.splits.model_dump(include={"test_releases", "excluded_subjects"}))

    def phase_parents(self, phase: str) -> dict[str, str]:
        """Folders of the phases that this one needs, by the key that names them."""
        return {key: self.phase_folder(name) for key, name in parents(self.nodes[phase]).items()}

    def phase_folder(self, phase: str) -> str:
        """Where a phase writes."""
        return f"{self.results}/phases/{phase}"

    def phase_settings(self, phase: str) -> str:
        """What ``phase`` reads; the encoder's architecture only where it starts from random weights."""
        node = self.nodes[phase]
        settings: dict[str, Any] = {
            "phase": node.model_dump(mode="json", exclude={"encoder"}),
            "lineage": lineage(self.nodes, phase),
        }
        if node.init is None:
            settings["encoder"] = node.encoder or self.config.encoder
        return _json(settings)

    def phase_weights(self, phase: str) -> list[str]:
        """The file of published weights that a phase starts from, if it does."""
        settings = self._architecture(phase)
        if self.nodes[phase].init is not None or not isinstance(settings, BraindecodeSettings):
            return []
        return [] if settings.weights is None else [str(settings.weights)]

    def baseline_settings(self, baseline: str) -> str:
        """What ``baseline`` reads."""
        return _json(self.baselines[baseline])

    def phase_code(self, phase: str) -> str:
        """Digest of the code behind a phase, the modules of other kinds left out."""
        others = sorted(set(KINDS) - {self.nodes[phase].kind})
        unused = (*(f"cerebro.phases.{kind}" for kind in others), *self._unused(phase))
        return code_digest("cerebro.phases.run", without=unused)

    def needed_windows(self, *phases: str) -> str:
        """What ``check-windows`` reads: what decides which windows the phases (none: all) take."""
        deciding = {"kind", "target", "mix", "tokenizer", "sources", "subjects_per_moment"}
        deciding |= {"datasets", "subject_share", "subject_seed"}
        chosen = {name: self.nodes[name] for name in phases or self.phases}
        return _json({"phases": {n: p.model_dump(include=deciding) for n, p in chosen.items()}})

    def encoder_files(self, encoder: str) -> list[str]:
        """The files of a phase's encoder; none for the untrained one."""
        if _is_no_phase(encoder):
            return []
        phase, _, checkpoint = encoder.partition("@")
        weights = ["checkpoints.safetensors"] if checkpoint else ["encoder.safetensors", "head.safetensors"]
        return [f"{self.phase_folder(phase)}/{name}" for name in (*weights, "card.json")]

    def encoder_option(self, encoder: str) -> list[str]:
        """The part of the command line that names the encoder to probe or to compare."""
        if _is_no_phase(encoder):
            return []
        phase, _, checkpoint = encoder.partition("@")
        return ["--encoder", self.phase_folder(phase), *(["--checkpoint", checkpoint] if checkpoint else [])]

    def submitted_cards(self) -> list[str]:
        """Cards of the phases that answer the challenges."""
        members = dict.fromkeys(name for names in self.submitted.members().values() for name in names)
        return [f"{self.phase_folder(name)}/card.json" for name in members]

    def submitted_answers(self) -> list[str]:
        """Answers on validation windows that say how much each member of the submission counts."""
        return self._answers(self.submitted.weighed(), "validation")

    def package_options(self) -> list[str]:
        """The part of the command line that names who answers, and how much each counts."""
        options = []
        for challenge, names in self.submitted.members().items():
            options += [f"--challenge-{challenge}", *map(self.phase_folder, names)]
        return [*options, "--validation", *self.submitted_answers()]

    def package_code(self) -> str:
        """Digest of the code behind the submission."""
        members = self.submitted.members().values()
        unused = (set(self._unused(name)) for names in members for name in names)
        return code_digest("cerebro.submission.package", without=tuple(set.intersection(*unused)))

    def encoder_code(self, step: str, encoder: str) -> str:
        """Digest of the code behind a step that runs one encoder."""
        return code_digest(step, without=self._unused(encoder))

    def feature_settings(self, encoder: str) -> str:
        """What ``features`` reads: which sets of windows the probes need, and how many windows.

        A new target runs an encoder again only if it needs a set that no other target needed. The
        architecture, less any weights, goes to the untrained encoder alone.
        """
        probes = self.config.probes
        settings: dict[str, Any] = {
            "sets": sorted(needed_sets(probes.targets)),
            "max_windows_per_subject": probes.max_windows_per_subject,
            "seed": 0,
        }
        if is_untrained(encoder):
            settings |= {"encoder": self._untrained, "seed": untrained_seed(encoder)}
        return _json(settings)

    def probe_settings(self) -> str:
        """What ``probe`` reads."""
        return _json({"probes": self.config.probes, "statistics": self.config.statistics})

    def adapter_settings(self) -> str:
        """What ``adapters`` reads."""
        settings = {key: getattr(self.config, key) for key in ("adapters", "probes", "statistics")}
        return _json({"encoder": self._untrained, **settings})

    def isc_settings(self, encoder: str) -> str:
        """What ``isc`` reads; the architecture only where no phase's encoder is measured."""
        settings: dict[str, Any] = {"isc": self.config.isc, "statistics": self.config.statistics, "seed": 0}
        if is_untrained(encoder):
            settings["seed"] = untrained_seed(encoder)
        if _is_no_phase(encoder):
            settings["encoder"] = self._untrained
        return _json(settings)

    def score_settings(self) -> str:
        """What ``score`` reads."""
        return _json(self.config.statistics)

    def compared_answers(self) -> list[str]:
        """Answers on the scored windows of every node that answers for a variant.

        Raises
        ------
        UserError
            The configuration compares nothing, or a variant does not fit it.
        """
        if self.incomparable is not None:
            raise self.incomparable
        if not self.lineups:
            raise UserError("configuration: there is no section 'ablations', so nothing can be compared")
        check_networks(self.config, self.nodes)
        members = (names for lineup in self.lineups for names in lineup.members().values())
        return self._answers((name for names in members for name in names), "test")

    def weighing_answers(self) -> list[str]:
        """Answers on validation windows that say how much each member of a variant counts."""
        return self._answers((name for lineup in self.lineups for name in lineup.weighed()), "validation")

    def _answers(self, nodes: Iterable[str], split: str) -> list[str]:
        return [f"{self.results}/predictions/{split}/{node}.parquet" for node in dict.fromkeys(nodes)]

    def ablation_settings(self) -> str:
        """What ``ablations`` reads."""
        lineups = [asdict(lineup) for lineup in self.lineups]
        return _json({"lineups": lineups, "statistics": self.config.statistics})

    def compared_encoders(self) -> list[str]:
        """Encoders that are compared over seeds by their probes."""
        named = (encoders for one in self._comparisons.values() for encoders in one.rows.values())
        return list(dict.fromkeys(encoder for encoders in named for encoder in encoders))

    def encoder_comparison_settings(self) -> str:
        """What ``encoders`` reads."""
        comparisons = {name: asdict(one) for name, one in self._comparisons.items()}
        return _json({**comparisons, "statistics": self.config.statistics})

    @property
    def _comparisons(self) -> dict[str, Comparison]:
        return {
            "phases": along_lineage(self.nodes, self.lineups),
            "variants": before_finetuning(self.nodes, self.lineups),
        }

    def compute_settings(self) -> str:
        """Devices and workers: handed over beside the settings, since they never re-run a step."""
        return _json(self.config.compute)

    @property
    def gpus(self) -> int:
        """Accelerators that a job asks the scheduler for; ``auto`` means what this machine has."""
        here = 0 if shutil.which("nvidia-smi") is None else 1
        return {"cpu": 0, "auto": here}.get(self.config.compute.accelerator, 1)

    @property
    def _untrained(self) -> dict[str, Any]:
        """The study's encoder for steps that take it with random weights."""
        return self.config.encoder.model_dump(mode="json", exclude={"weights"})

    def _architecture(self, encoder: str) -> Architecture:
        """The architecture of a node's encoder, or of the untrained one."""
        study = self.config.encoder
        phase = encoder.partition("@")[0]
        return study if _is_no_phase(encoder) else encoder_of(self.nodes, phase, study)

    def _unused(self, encoder: str) -> tuple[str, ...]:
        """Modules, and with them braindecode's version, that this package's own encoder never comes to."""
        own = isinstance(self._architecture(encoder), EncoderSettings)
        return ("cerebro.models.braindecode_encoder",) if own else ()

    @cached_property
    def _exclusions(self) -> dict[str, Exclusions]:
        """Who stays out, by dataset."""
        excluded = self.config.splits.excluded_subjects
        return {name: read_exclusions(name, part, excluded) for name, part in self.config.datasets.items()}

    @cached_property
    def _listings(self) -> dict[tuple[str, str], str]:
        """Digests of the names, sizes and times of files, by dataset and group.

        What is of no known subject stands under the group ``""``; excluded subjects have no files.
        """
        listings: dict[tuple[str, str], list[str]] = {}
        for name, dataset in self.config.datasets.items():
            for path in walk_files(dataset.roots):
                subject = subject_of_file(path, dataset.reader)
                if subject and self._exclusions[name].reason(subject):
                    continue
                group = group_name(name, group_index(subject, dataset.groups)) if subject else ""
                listings.setdefault((name, group), []).append(_line(path))
        return {key: digest_text("\n".join(sorted(lines))) for key, lines in listings.items()}


def _reader_file(name: str, dataset: Dataset) -> Path | None:
    try:
        return find_reader(dataset.reader)
    except UserError as error:
        raise UserError(f"configuration: datasets.{name}.reader: {error}") from None


def _is_no_phase(encoder: str) -> bool:
    return is_untrained(encoder) or encoder == SIGNAL


def _present(files: Iterable[Path | None]) -> tuple[Path, ...]:
    return tuple(file for file in files if file is not None)


def _dataset_name(group: str) -> str:
    return group.rpartition("-")[0]


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
