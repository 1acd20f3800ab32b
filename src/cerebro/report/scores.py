"""The table of scores of a study without a submission: whoever answers, beside floors."""

from collections.abc import Mapping, Sequence
from typing import Any

from cerebro.report.cells import ABSENT, NO_INTERVAL, interval
from cerebro.report.headings import heading, name
from cerebro.report.probes import LESS_IS_BETTER
from cerebro.report.tables import Table
from cerebro.statistics.comparison import significant


def phase_score_table(contents: Sequence[Mapping[str, Any]]) -> Table:
    """One row per phase and metric, from the contents of the files of `score-phase`."""
    scores = {
        (content["node"], metric): (content, score)
        for content in contents
        for metric, score in content.get("metrics", {}).items()
    }
    floors = list(dict.fromkeys(floor for _, score in scores.values() for floor in score.get("floors", {})))
    starred = _better_than_floors(scores)
    rows = []
    for (node, metric), (content, score) in scores.items():
        beside = (score.get("floors", {}).get(floor) for floor in floors)
        rows.append(
            [
                node,
                heading(content["target"], metric, separator=", "),
                interval(score, clear=(node, metric) in starred),
                *(ABSENT if floor is None else interval(floor) for floor in beside),
                str(content["n_windows"]),
                str(content["n_subjects"]),
            ]
        )
    notes = [
        f"Answers to windows of {_whose(contents)}, with 95 % intervals over subjects; NRMSE and MAE: less "
        "is better. * better than each floor, on the same resampled subjects, p below .05 after Holm's "
        "correction for all differences of this table."
    ]
    if any(score["value"] is not None and score["low"] is None for _, score in scores.values()):
        notes.append(NO_INTERVAL)
    for content in contents:
        if "reason" in content:
            notes.append(f"{content['node']} has no score: {content['reason']}.")
    header = ["phase", "label", "score", *(name(floor) for floor in floors), "windows", "subjects"]
    return Table("Scores", header, rows, notes, n_names=2)


def _better_than_floors(
    scores: Mapping[tuple[str, str], tuple[Any, Mapping[str, Any]]],
) -> set[tuple[str, str]]:
    """Phases and metrics that are better than all of their floors."""
    differences = {
        (*cell, floor): found["difference"]
        for cell, (_, score) in scores.items()
        for floor, found in score.get("floors", {}).items()
        if found.get("difference") is not None
    }
    clear = significant({cell: one["p"] for cell, one in differences.items()})
    better = {cell for cell in clear if (differences[cell]["value"] < 0) == (cell[1] in LESS_IS_BETTER)}
    beside = {cell: {key for key in differences if key[:2] == cell} for cell in scores}
    return {cell for cell, keys in beside.items() if keys and keys <= better}


def _whose(contents: Sequence[Mapping[str, Any]]) -> str:
    splits = {content["split"] for content in contents}
    if splits == {"test"}:
        return "test people"
    return "validation people, who also selected (the study tests nobody)"
