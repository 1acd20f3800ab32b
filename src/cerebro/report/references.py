"""Each phase's own metrics beside what needs no training: no knowledge, and linear interpolation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cerebro.files import read_json
from cerebro.report.cells import number
from cerebro.report.tables import Table

LINEAR = ("linear_space", "linear_time", "linear_both")
NOTES = (
    "Validation windows. No knowledge: the best constant (training means, code frequencies, no phase, no "
    "waveform, all windows alike; chance for retrieval). Linear: the hidden place as a Gaussian covariance "
    "of training windows has it from visible places, across channels, along time, or both, under the masks "
    "that the model had. Errors: less is better; accuracy and retrieval: more is."
)


def reference_table(folders: Sequence[Path]) -> Table | None:
    """One row for each metric of the phases that has a reference; None where no phase has one."""
    rows, leaks = [], []
    for folder in map(Path, folders):
        metrics = read_json(folder / "metrics.json")
        for name, known in _references(metrics).items():
            linear = [number(metrics.get(f"{name}_{kind}")) for kind in LINEAR]
            label = name.removeprefix("val/").replace("_", " ")
            rows.append([folder.name, label, number(metrics[name]), number(metrics[known]), *linear])
        leaks += [
            f"{folder.name}, {name.removeprefix('leak/')}: {value:.3f}, of which the common reference "
            f"{metrics[name.replace('leak/', 'reference_share/')]:.3f}"
            for name, value in sorted(metrics.items())
            if name.startswith("leak/")
        ]
    if not rows:
        return None
    notes = [NOTES]
    if leaks:
        notes.append(
            "R² of a hidden electrode given the visible channels, of independent noise: "
            + "; ".join(leaks)
            + "."
        )
    header = ["phase", "metric", "model", "no knowledge", "linear,\nspace", "linear,\ntime", "linear,\nboth"]
    return Table("Phases beside what needs no training", header, rows, notes, n_names=2)


def _references(metrics: Mapping[str, float]) -> dict[str, str]:
    """Metrics of validation windows, each with the name of its value without knowledge."""
    known = {name: f"{name}_no_knowledge" for name in metrics if f"{name}_no_knowledge" in metrics}
    retrieval = [name for name in metrics if name.startswith("val/") and name.endswith("/retrieval_top1")]
    return known | {name: name.replace("_top1", "_chance") for name in retrieval}
