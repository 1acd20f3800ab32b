"""Encoders that a study compares: those along its lineage, and those that its variants give to Phase 3."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cerebro.config import AnyNode, Phase, parents
from cerebro.study.variants import FULL, Lineup

RANDOM = "random"
"""The name under which an untrained encoder is probed; with another seed than 0 followed by that."""
SIGNAL = "signal"
"""The name under which the signal itself is probed and compared between subjects, without any encoder."""
COVARIANCE = "covariance"
"""The name under which the covariance of the signal is probed, without any encoder."""


@dataclass(frozen=True)
class Comparison:
    """Rows of encoders, one per seed, and by row the row that it is compared with."""

    rows: Mapping[str, Sequence[str]]
    references: Mapping[str, str]


def untrained(seed: int) -> str:
    """The name of the untrained encoder with a seed."""
    return f"{RANDOM}-{seed}" if seed else RANDOM


def is_untrained(encoder: str) -> bool:
    """Whether a name is that of an untrained encoder."""
    return encoder == RANDOM or encoder.startswith(f"{RANDOM}-")


def is_no_phase(encoder: str) -> bool:
    """Whether a name is that of an untrained encoder, or of none."""
    return is_untrained(encoder) or encoder in (SIGNAL, COVARIANCE)


def untrained_seed(encoder: str) -> int:
    """The seed of an untrained encoder."""
    return int(encoder.removeprefix(RANDOM).removeprefix("-") or 0)


def along_lineage(nodes: Mapping[str, AnyNode], lineups: Sequence[Lineup]) -> Comparison:
    """The signal, the untrained encoder, and the phases behind the full study's answers with their starts.

    A study without a submission has all its encoders, and the signal's covariance beside its band power.

    Parameters
    ----------
    nodes : mapping of str to node
    lineups : sequence of Lineup
        As :func:`cerebro.study.variants.expand` gives them. Of several phases that answer one challenge the
        first is followed.
    """
    rows: dict[str, list[str]] = {}
    references = {}
    for lineup in (one for one in lineups if one.variant == FULL):
        rows.setdefault(SIGNAL, []).append(SIGNAL)
        if lineup.ends:
            rows.setdefault(COVARIANCE, []).append(COVARIANCE)
        rows.setdefault(RANDOM, []).append(untrained(lineup.seed))
        answers = lineup.ends or tuple(members[0] for members in lineup.members().values())
        for node in dict.fromkeys(node for answer in answers for node in _behind(nodes, answer)):
            row = _phase(node)
            rows.setdefault(row, []).append(node)
            start = parents(nodes[node]).get("init")
            references[row] = RANDOM if start is None else _phase(start)
    return Comparison(rows, references)


def before_finetuning(nodes: Mapping[str, AnyNode], lineups: Sequence[Lineup]) -> Comparison:
    """The encoder that Challenge 1's answer starts from, by variant, where it is not the full study's.

    In a study without a submission it is the last that no phase goes on from.

    Variants with the same encoder share a row. A baseline, or an architecture of its own trained from
    scratch, starts from none; where the full study does so, there is nothing to compare.
    """
    rows: dict[str, list[str]] = {}
    for lineup in lineups:
        if lineup.ends:
            rows.setdefault(lineup.variant, []).append(lineup.ends[-1])
            continue
        node = nodes.get(lineup.challenge_1[0])
        if not isinstance(node, Phase) or (node.init is None and node.encoder is not None):
            continue
        rows.setdefault(lineup.variant, []).append(untrained(lineup.seed) if node.init is None else node.init)
    if FULL not in rows:  # nothing to compare with
        return Comparison({}, {})
    alike: dict[tuple[str, ...], list[str]] = {}
    for row, encoders in rows.items():
        alike.setdefault(tuple(encoders), []).append(row)
    merged = {
        FULL if FULL in names else ", ".join(names): list(encoders) for encoders, names in alike.items()
    }
    return Comparison(merged, {row: FULL for row in merged if row != FULL})


def _behind(nodes: Mapping[str, AnyNode], name: str) -> Iterator[str]:
    """A phase's ancestors, oldest first, and itself."""
    for parent in parents(nodes[name]).values():
        yield from _behind(nodes, parent)
    yield name


def _phase(node: str) -> str:
    """The phase's own name, whatever its seed."""
    return node.rpartition(f"-{FULL}-")[0] or node
