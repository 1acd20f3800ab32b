"""Ablations: each variant is an overlay on the graph of phases, trained with several seeds.

What two lineages have in common is trained once: a node is identified by its settings, its seed and its
ancestors, whatever variant asks for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cerebro.config import AnyPhase, Config, load_config, parents

FULL = "full"
"""The variant that changes nothing; the others are compared with it."""


@dataclass(frozen=True)
class Lineup:
    """One variant with one seed: the nodes that answer the two challenges."""

    variant: str
    seed: int
    challenge_1: str
    challenge_2: str

    def answers(self) -> dict[int, str]:
        """Node by challenge."""
        return {1: self.challenge_1, 2: self.challenge_2}


def expand(config: Config) -> tuple[dict[str, AnyPhase], list[Lineup]]:
    """Nodes of all variants and seeds, and who answers for each.

    Parameters
    ----------
    config : Config
        Its ``ablations`` name variants and seeds.

    Returns
    -------
    nodes : dict of str to phase
        The nodes of ``config.phases`` under their own names, then those that variants and further seeds add,
        named ``<phase>-<variant>-<seed>``; parents are renamed accordingly.
    lineups : list of Lineup
        ``full`` first; empty where the configuration has no ablations.

    Raises
    ------
    UserError
        A variant does not give a valid graph; the sentence names it.
    """
    nodes: dict[str, AnyPhase] = dict(config.phases)
    if config.ablations is None:
        return nodes, []
    known = {_identity(phase): name for name, phase in nodes.items()}
    lineups = []
    for variant, overlay in {FULL: {}, **config.ablations.variants}.items():
        changed = _overlaid(config, variant, overlay)
        for seed in config.ablations.seeds:
            answers = {
                challenge: _place(changed, name, f"{variant}-{seed}", seed, nodes, known)
                for challenge, name in config.submission.model_dump().items()
            }
            lineups.append(Lineup(variant, seed, **answers))
    return nodes, lineups


def _overlaid(config: Config, variant: str, overlay: Mapping[str, Any]) -> dict[str, AnyPhase]:
    content = config.model_dump(mode="json", exclude_unset=True, exclude={"ablations"})
    merged = {**content, "phases": _merged(content["phases"], overlay)}
    return load_config(merged, where=f"ablations.variants.{variant}").phases


def _merged(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """The overlay over the base, key by key, as Snakemake merges configuration files."""
    result = dict(base)
    for key, value in overlay.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


def _place(
    phases: Mapping[str, AnyPhase],
    name: str,
    suffix: str,
    seed: int,
    nodes: dict[str, AnyPhase],
    known: dict[str, str],
) -> str:
    """Add a phase and its ancestors to the nodes unless they are there; return the phase's name there."""
    phase = phases[name]
    renamed = {
        key: _place(phases, parent, suffix, seed, nodes, known) for key, parent in parents(phase).items()
    }
    placed = phase.model_copy(update={**renamed, "seed": phase.seed + seed})
    identity = _identity(placed)
    if identity not in known:
        known[identity] = f"{name}-{suffix}"
        nodes[known[identity]] = placed
    return known[identity]


def _identity(phase: AnyPhase) -> str:
    return phase.model_dump_json()
