"""Ablations: each variant is an overlay on the graph of phases, trained with several seeds.

What two lineages have in common is trained once: a node is identified by its settings, its seed and its
ancestors, whatever variant asks for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cerebro.config import (
    CHALLENGES,
    COMPARED,
    AnyNode,
    BaselinePhase,
    Config,
    FinetunePhase,
    Submission,
    Weights,
    load_config,
    parents,
    trainings,
)
from cerebro.config.settings import hint
from cerebro.errors import UserError

FULL = "full"
"""The variant that changes nothing; the others are compared with it."""


ORACLE = "oracle"
"""The row of a simulated study that reads the ground truth; see :mod:`cerebro.simulation.oracle`."""


@dataclass(frozen=True)
class Lineup:
    """One variant with one seed: the nodes whose answers to the two challenges are averaged, or, in a study
    without a submission, the encoders at the ends of its graph.
    """

    variant: str
    seed: int
    challenge_1: tuple[str, ...]
    challenge_2: tuple[str, ...]
    weights: Weights = "equal"
    """How much each member counts, as in the section `submission`."""
    smooth_windows: int = 1
    """Consecutive windows over which answers to challenge 2 are averaged."""
    subject_share: float | None = None
    """The share of the training subjects that all phases learn from, where this is all that differs from the
    full study: a point of the learning curve."""
    ends: tuple[str, ...] = ()
    """Phases of a study without a submission that no other starts from; of a finetune phase, its start."""

    def members(self) -> dict[int, tuple[str, ...]]:
        """Nodes by challenge."""
        return {1: self.challenge_1, 2: self.challenge_2}

    def weighed(self) -> list[str]:
        """Nodes whose answers to validation windows say how much they count."""
        if self.weights == "equal":
            return []
        return [name for members in self.members().values() if len(members) > 1 for name in members]


def answering(config: Config) -> tuple[dict[str, AnyNode], Lineup | None]:
    """Nodes of the study itself, and those that answer in it; nobody does without a submission.

    Returns
    -------
    nodes : dict of str to phase
        The nodes of ``config.phases``, then those that further seeds of the submission add, named as by
        :func:`expand`.
    lineup : Lineup or None

    Raises
    ------
    UserError
        Two of the submission's phases are one and the same, or a name is taken.
    """
    graph = _Graph(config.phases)
    lineup = None if config.submission is None else graph.lineup(config, config.submission, FULL, 0)
    return graph.nodes, lineup


def expand(config: Config) -> tuple[dict[str, AnyNode], list[Lineup]]:
    """Nodes of all variants and seeds, and who answers for each.

    Parameters
    ----------
    config : Config
        Its ``ablations`` name variants and seeds.

    Returns
    -------
    nodes : dict of str to phase
        The nodes of :func:`answering`, then those that variants and further seeds add, named
        ``<phase>-<variant>-<seed>``; parents are renamed accordingly.
    lineups : list of Lineup
        ``full`` first, the oracle of a study that is wholly simulated last; empty where the configuration has
        no ablations.

    Raises
    ------
    UserError
        A variant does not give a valid graph, two phases that answer in it are one and the same, or a name is
        taken; the sentence names the variant.
    """
    graph = _Graph(answering(config)[0])
    if config.ablations is None:
        return graph.nodes, []
    lineups = []
    compared = config.ablations.compare or tuple(config.ablations.variants)
    overlays = {FULL: {}, **{name: config.ablations.variants[name] for name in compared}}
    for variant, overlay in overlays.items():
        changed = _overlaid(config, variant, overlay)
        submission = changed.submission
        for seed in config.ablations.seeds:
            if submission is None:
                lineups.append(Lineup(variant, seed, (), (), ends=graph.ends(changed, variant, seed)))
                continue
            share = _share(changed, submission, overlay)
            lineups.append(replace(graph.lineup(changed, submission, variant, seed), subject_share=share))
    if has_oracle(config):
        first, second = ((f"{ORACLE}-{challenge.target}",) for challenge in CHALLENGES.values())
        lineups += [Lineup(ORACLE, seed, first, second) for seed in config.ablations.seeds]
    return graph.nodes, lineups


def has_oracle(config: Config) -> bool:
    """Whether the truth of a study's challenges is known: it is wholly simulated."""
    return config.submission is not None and all(not part.roots for part in config.datasets.values())


def _share(config: Config, submission: Submission, overlay: Mapping[str, Any]) -> float | None:
    """The one share of subjects that all phases behind the answers learn from, if nothing else is changed.

    Fewer subjects may not be enough for a contrast phase's moments, so their number may change along.
    """
    along = {"subject_share", "subjects_per_moment"}
    if any(not isinstance(part, Mapping) or not set(part) <= along for part in overlay.values()):
        return None
    behind = {name for names in submission.answers().values() for name in names}
    while more := {parent for name in behind for parent in parents(config.phases[name]).values()} - behind:
        behind |= more
    shares = {config.phases[name].subject_share for name in behind}
    return shares.pop() if len(shares) == 1 else None


def _overlaid(config: Config, variant: str, overlay: Mapping[str, Any]) -> Config:
    content = config.model_dump(mode="json", exclude_unset=True, exclude={"ablations"})
    phases = {key: value for key, value in overlay.items() if key != "submission"}
    copies = {key: value for key, value in phases.items() if isinstance(value, Mapping) and "like" in value}
    merged_phases = _merged(content["phases"], {k: v for k, v in phases.items() if k not in copies})
    for name, differences in copies.items():
        merged_phases[name] = _like(merged_phases, differences, where=f"{_section(variant)}: phases.{name}")
    merged = {**content, "phases": merged_phases}
    if config.submission is not None:
        merged["submission"] = _merged(content["submission"], overlay.get("submission", {}))
    elif "submission" in overlay:
        raise UserError(f"{_section(variant)}: submission: the study has none; leave the key out")
    return load_config(merged, where=_section(variant), context=COMPARED)


def _like(phases: Mapping[str, Any], differences: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """A phase with the settings of another in the same variant, but for those that are written."""
    model = differences["like"]
    if not isinstance(phases.get(model), Mapping):
        raise UserError(f"{where}.like: there is no phase '{model}'{hint(str(model), phases)}")
    return _merged(phases[model], {key: value for key, value in differences.items() if key != "like"})


def _merged(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The overlay over the base, key by key, as Snakemake merges configuration files.

    What is of another kind has other keys, and takes the place of what was there.
    """
    result = dict(base)
    for key, value in overlay.items():
        below = result.get(key)
        if (
            isinstance(below, Mapping)
            and isinstance(value, Mapping)
            and value.get("kind", below.get("kind")) == below.get("kind")
        ):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


class _Graph:
    """Nodes by name. One with the same settings, seed and ancestors as another is that other."""

    def __init__(self, nodes: Mapping[str, AnyNode]) -> None:
        self.nodes = dict(nodes)
        self._known = {_identity(node): name for name, node in nodes.items()}

    def lineup(self, config: Config, submission: Submission, variant: str, seed: int) -> Lineup:
        """Add the lineages of all members of a submission, with its seeds on top of this one."""
        members = {
            challenge: self._members(config, submission, challenge, variant, seed) for challenge in CHALLENGES
        }
        further = {key: getattr(submission, key) for key in ("weights", "smooth_windows")}
        return Lineup(variant, seed, members[1], members[2], **further)

    def ends(self, config: Config, variant: str, seed: int) -> tuple[str, ...]:
        """Add all encoders of a study without a submission; return those from which none goes on."""
        phases = trainings(config.phases)
        begun = {parent for phase in phases.values() for parent in parents(phase).values()}
        last = [name for name in phases if name not in begun]
        placed = [self._place(config.phases, name, variant, seed) for name in last]
        starts = [self.nodes[node] for node in placed]
        before = [
            node.init if isinstance(node, FinetunePhase) else name
            for name, node in zip(placed, starts, strict=True)
        ]
        return tuple(dict.fromkeys(name for name in before if name is not None))

    def _members(
        self, config: Config, submission: Submission, challenge: int, variant: str, seed: int
    ) -> tuple[str, ...]:
        """Nodes that answer a challenge; a baseline that draws nothing at random is one for all seeds."""
        placed: dict[str, tuple[str, str, int]] = {}
        for name in submission.answers()[challenge]:
            for added in submission.seeds:
                node = self._place(config.phases, name, variant, seed + added)
                identity = _identity(self.nodes[node])
                _, other, others_seed = placed.setdefault(identity, (node, name, added))
                if other != name:
                    seeds = f", with seeds {others_seed} and {added} added," if added or others_seed else ""
                    where = f"{_section(variant)}: submission.challenge_{challenge}"
                    raise UserError(
                        f"{where}: '{other}' and '{name}'{seeds} are one and the same phase; remove one of "
                        "them, or let them differ"
                    )
        return tuple(node for node, _, _ in placed.values())

    def _place(self, phases: Mapping[str, AnyNode], name: str, variant: str, seed: int) -> str:
        """Add a phase and its ancestors unless they are there; return the phase's name in the graph."""
        phase = phases[name]
        renamed = {key: self._place(phases, parent, variant, seed) for key, parent in parents(phase).items()}
        seeds = {key: getattr(phase, key) + seed for key in ("seed", "subject_seed") if _draws(phase)}
        placed = phase.model_copy(update={**renamed, **seeds})
        if self.nodes.get(name) == placed:  # itself, though another of the study's phases may equal it
            return name
        identity = _identity(placed)
        if identity not in self._known:
            added = f"{name}-{variant}-{seed}"
            if added in self.nodes:
                raise UserError(
                    f"{_section(variant)}: phase '{name}' with seed {seed} would be named '{added}', as "
                    "another phase is; rename one of them"
                )
            self._known[identity] = added
            self.nodes[added] = placed
        return self._known[identity]


def _section(variant: str) -> str:
    """Where a fault of a variant stands."""
    return "configuration" if variant == FULL else f"ablations.variants.{variant}"


def _draws(phase: AnyNode) -> bool:
    """Whether anything in a node is random: a baseline of all subjects and true labels is fitted once."""
    return not isinstance(phase, BaselinePhase) or phase.shuffle_labels or phase.subject_share < 1


def _identity(phase: AnyNode) -> str:
    return phase.model_dump_json()
