"""The figure of what each phase added: probe scores along every lineage, with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from cerebro.files import read_json
from cerebro.report.figures import save
from cerebro.report.headings import heading, name

COLUMNS = 3


def draw_lineages(probes: Sequence[Path], *, output: Path) -> None:
    """Draw the leading score of every target for each encoder, in the order of training.

    Parameters
    ----------
    probes : sequence of Path
        Files of :func:`cerebro.probes.run.run_probes`.
    output : Path
        The image; its suffix decides the format. Lines join an encoder to the one it started from, the
        untrained one to those that started from random weights, and none to the signal's own; a dashed line
        is the score without EEG.
    """
    contents = {content["node"]: content for content in map(read_json, probes)}
    draw({node: contents[node] for node in in_training_order(contents)}, steps(contents), output=output)


def draw(
    contents: Mapping[str, Mapping[str, Any]], pairs: Sequence[tuple[str, str]], *, output: Path
) -> None:
    """Draw a panel per target.

    Parameters
    ----------
    contents : mapping of str to mapping
        By encoder, in the order in which they are shown, the content of its probes' file.
    pairs : sequence of pairs of str
        Encoders that are joined by a line.
    output : Path
        The image; its suffix decides the format.
    """
    nodes = list(contents)
    metrics = {
        target: next(iter(result["metrics"]))
        for content in contents.values()
        for target, result in content["targets"].items()
        if "metrics" in result
    }
    panels = list(dict.fromkeys(target for content in contents.values() for target in content["targets"]))
    rows = max(1, -(-len(panels) // COLUMNS))
    figure, axes = plt.subplots(
        rows,
        COLUMNS,
        figsize=(4 * COLUMNS, 1.2 + 2.2 * rows),
        sharex=True,
        layout="constrained",
        squeeze=False,
    )
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, target in zip(axes.flat, panels, strict=False):
        metric = metrics.get(target, "")
        _panel(axis, contents, pairs, target, metric)
        axis.set_title(heading(target, metric, separator=", ") if metric else name(target), fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xticks(range(len(nodes)), nodes, rotation=40, ha="right", fontsize=8)
        axis.tick_params(labelbottom=True)
    save(figure, output)


def in_training_order(contents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Encoders by the length of their lineage, those without one first, of equals as they are given.

    Checkpoints stand before the end of the phase that they lie in.
    """
    given = list(dict.fromkeys(node.partition("@")[0] for node in contents))

    def place(node: str) -> tuple[int, int, float]:
        phase, _, number = node.partition("@")
        return len(contents[node]["lineage"]), given.index(phase), float(number or "inf")

    return sorted(contents, key=place)


def steps(contents: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Pairs of encoders of which the second started from the first, as far as both were probed."""
    pairs = []
    for node, content in contents.items():
        if not content["lineage"]:  # untrained, or the signal itself
            continue
        phase, _, number = node.partition("@")
        within = [f"{phase}@{k}" for k in range(1, int(number))] if number else _checkpoints(phase, contents)
        if within:
            pairs.append((within[-1], node))
            continue
        earlier = [name for name in content["lineage"][:-1] if name in contents]
        start = earlier[-1] if earlier else "random"
        if start in contents:
            pairs.append((start, node))
    return pairs


def _checkpoints(phase: str, contents: Mapping[str, Any]) -> list[str]:
    numbers = sorted(int(node.partition("@")[2]) for node in contents if node.startswith(f"{phase}@"))
    return [f"{phase}@{number}" for number in numbers]


def _panel(
    axis: Any,
    contents: Mapping[str, Mapping[str, Any]],
    pairs: Sequence[tuple[str, str]],
    target: str,
    metric: str,
) -> None:
    found = {
        node: content["targets"].get(target, {}).get("metrics", {}).get(metric)
        for node, content in contents.items()
    }
    known = {node: score for node, score in found.items() if score and score["value"] is not None}
    if not known:
        axis.text(0.5, 0.5, "not measurable", transform=axis.transAxes, ha="center", color="0.5")
        return
    floor = next(iter(known.values()))["floor"]
    if floor is not None:
        axis.axhline(floor, color="0.6", linestyle="--", linewidth=1)
    place = {node: number for number, node in enumerate(contents)}
    for start, node in pairs:
        if start in known and node in known:
            ends = [place[start], place[node]], [known[start]["value"], known[node]["value"]]
            axis.plot(*ends, color="C0", alpha=0.3, linewidth=1)
    for node, score in known.items():
        if score["low"] is not None:
            axis.plot([place[node]] * 2, [score["low"], score["high"]], color="C0", linewidth=1.5)
        axis.plot(place[node], score["value"], "o", color="C0", markersize=5)
