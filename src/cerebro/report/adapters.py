"""The comparison of channel adapters as tables, for `results/<name>/adapters/comparison.md`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cerebro.files import atomic_path
from cerebro.report.cells import ABSENT, interval, number
from cerebro.report.headings import heading
from cerebro.report.tables import Table, as_markdown, print_tables
from cerebro.statistics.comparison import significant

NAMES = {
    "zero_pad": "zero_pad: nearest that is left",
    "interpolation": "interpolation",
    "perceiver_untrained": "perceiver, untrained",
    "perceiver": "perceiver, trained",
}
SCENARIOS = {
    "tenth": "1 in 10\nhidden",
    "half": "half\nhidden",
    "nearest": "nearest of\neach cell hidden",
}


def write_adapter_tables(content: Mapping[str, Any], *, output: Path) -> None:
    """Print the tables of :func:`cerebro.adapters.run.compare_adapters` and write them as Markdown."""
    tables = [
        *(reconstruction_table(dataset, part) for dataset, part in content["reconstruction"].items()),
        probe_table(content["probes"]),
        cost_table(content["cost"]),
    ]
    with atomic_path(output) as temporary:
        temporary.write_text(as_markdown(tables))
    print_tables(tables)


def reconstruction_table(dataset: str, part: Mapping[str, Any]) -> Table:
    """One row an adapter, one column a scenario."""
    scenarios = {name: scores for name, scores in part["scenarios"].items() if scores}
    starred = _better_than_nearest(scenarios)
    rows = [
        [
            label,
            *(
                interval(scores[name], clear=(scenario, name) in starred)
                for scenario, scores in scenarios.items()
            ),
        ]
        for name, label in NAMES.items()
    ]
    seeds = [score["seeds"] for scores in scenarios.values() for score in scores.values()]
    notes = [
        f"{part['n_windows']} windows of {part['n_subjects']} validation subjects; the perceiver was trained "
        f"on {part['n_training_subjects']} training subjects.",
        "Scored are the hidden positions whose cell holds another electrode: "
        + ", ".join(
            f"{number(part['told'][name])} of them ({label.replace(chr(10), ' ')})"
            for name, label in SCENARIOS.items()
        )
        + ". The others are empty, whatever the adapter.",
        "Mean over windows and seeds, 95 % intervals over subjects; * better than the nearest electrode with "
        "every seed, p below .05 after Holm's correction for all differences of this table.",
    ]
    if seeds and len(seeds[0]) > 1:
        widest = max(max(values) - min(values) for values in seeds)
        notes.append(f"The {len(seeds[0])} seeds of one adapter are at most {widest:.3f} apart.")
    return Table(
        f"{dataset}: share of the hidden channels' variance that is missed",
        ["adapter", *(SCENARIOS[name] for name in scenarios)],
        rows,
        notes,
    )


def probe_table(probes: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row an adapter, one column a target; the mean over seeds and its range."""
    first = next(iter(probes))
    targets = list(probes[first])
    metrics = {target: probes[first][target]["metric"] for target in targets}
    rows = [
        [label, *(_seeds(probes[name][target]["seeds"]) for target in targets)]
        for name, label in NAMES.items()
    ]
    rows.append(["no EEG", *(number(probes[first][target].get("floor")) for target in targets)])
    notes = ["An untrained encoder, the same weights behind each adapter, scored on validation subjects."]
    notes += [
        f"{target} is not measurable: {found['not_measurable']}."
        for target, found in probes[first].items()
        if "not_measurable" in found
    ]
    header = ["adapter", *(heading(target, metrics[target]) for target in targets)]
    return Table("Linear probes", header, rows, notes, separated=frozenset({len(NAMES) - 1}))


def cost_table(cost: Mapping[str, Mapping[str, float]]) -> Table:
    """Weights and milliseconds."""
    rows = [
        [
            label,
            f"{cost[name]['parameters']:,}",
            f"{cost[name]['ms_per_window']:.2f}",
            f"{cost[name]['ms_alone']:.2f}",
        ]
        for name, label in NAMES.items()
        if name != "perceiver_untrained"
    ]
    header = ["adapter", "weights", "ms a window,\nin a batch", "ms a window,\nalone"]
    return Table("Cost, onto the encoder's layout", header, rows)


def _better_than_nearest(scenarios: Mapping[str, Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Scenarios and adapters that beat the nearest electrode, with every seed."""

    def beats(scenario: str, name: str) -> bool:
        own, others = (scenarios[scenario][adapter]["seeds"] for adapter in (name, "zero_pad"))
        return all(mine < other for mine, other in zip(own, others, strict=True))

    p_values = {
        (scenario, name): score["minus"]["p"]
        for scenario, scores in scenarios.items()
        for name, score in scores.items()
        if name != "zero_pad"
    }
    return {cell for cell in significant(p_values) if beats(*cell)}


def _seeds(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.3f}\n{min(known):.3f} to {max(known):.3f}" if known else ABSENT
