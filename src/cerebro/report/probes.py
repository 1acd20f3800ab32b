"""The tables of linear probes: one row per encoder, one column per target."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from cerebro.report.cells import NO_INTERVAL, interval, number
from cerebro.report.headings import heading, name
from cerebro.report.tables import Table
from cerebro.statistics.comparison import significant, star_is_possible

Column = tuple[str, str]
"""A target and its leading metric."""
LESS_IS_BETTER = ("mae", "nrmse")
METHOD = (
    "Ridge or logistic regression on frozen features, cross-fitted over held-out subjects, "
    "with 95 % intervals over subjects; * better than no EEG (training mean or chance), p below .05 after "
    "Holm's correction for all scores of person and moment together. 'signal' is log band power at the "
    "10-20 electrodes in place of an encoder, 'covariance' that of channels in tangent space."
)
KNOWS_PEOPLE = 0.5
"""Share of the way from chance to perfect from which on people count as well told apart."""


def probe_tables(contents: Sequence[Mapping[str, Any]]) -> list[Table]:
    """What encoders know of the person, and of the moment, from the contents of the probes' files."""
    units = _units(contents)
    person = [column for column, unit in units.items() if unit == "subject"]
    moment = [column for column, unit in units.items() if unit != "subject"]
    starred, count = _starred(contents, list(units))
    notes = [METHOD, *_without_stars(contents, count), *_unmeasured(contents)]
    tables = [
        _table("Linear probes: the person", contents, person, starred, notes),
        _table(
            "Linear probes: the moment",
            contents,
            moment,
            starred,
            [*([] if person else notes), *_warnings(contents)],
        ),
    ]
    return [*(table for table in tables if len(table.header) > 1), *_readouts(contents)]


def _readouts(contents: Sequence[Mapping[str, Any]]) -> list[Table]:
    """For each label of a state: windows alone, averaged, and less their recording's mean."""
    tables = []
    read = {
        target: result
        for content in contents
        for target, result in content["targets"].items()
        if result.get("readouts")
    }
    for target, result in read.items():
        metric, forms = next(iter(result["metrics"])), list(result["readouts"])
        rows = []
        for content in contents:
            own = content["targets"].get(target, {})
            scores = [
                _score(content["targets"], target, metric),
                *(own.get("readouts", {}).get(f) for f in forms),
            ]
            rows.append([content["node"], *(interval(score, digits=2) for score in scores)])
        floors = [result["metrics"][metric], *(result["readouts"][form] for form in forms)]
        rows.append(["no EEG", *(number(score["floor"]) for score in floors)])
        notes = ["'averaged': answers are averaged over neighbouring windows of a recording with one class."]
        if result.get("centred_on"):
            notes.append(
                f"'centred': features less their mean over the {result['centred_on']}, which needs no label."
            )
        header = ["encoder", heading(target, metric), *(name(form) for form in forms)]
        title = f"Linear probes: {name(target)}, in several readouts"
        tables.append(Table(title, header, rows, notes, separated=frozenset({len(contents) - 1})))
    return tables


def _units(contents: Sequence[Mapping[str, Any]]) -> dict[Column, str]:
    """What one sample of each probe is, a subject or a window, in the order in which they are declared."""
    found: dict[Column, str] = {}
    for content in contents:
        for target, result in content["targets"].items():
            if "metrics" in result:
                found[target, next(iter(result["metrics"]))] = result["unit"]
    return found


def _starred(
    contents: Sequence[Mapping[str, Any]], columns: Sequence[Column]
) -> tuple[set[tuple[str, str, str]], int]:
    """Scores by node, target and metric that are better than no EEG, and how many were looked at."""
    scores = {
        (content["node"], *column): score
        for content in contents
        for column in columns
        if (score := _score(content["targets"], *column)) and score["p"] is not None
    }

    def better(cell: tuple[str, str, str]) -> bool:
        value, floor = scores[cell]["value"], scores[cell]["floor"] or 0.0  # no correlation without EEG: 0
        return value < floor if cell[2] in LESS_IS_BETTER else value > floor

    cells = significant({cell: score["p"] for cell, score in scores.items()})
    return {cell for cell in cells if better(cell)}, len(scores)


def _unmeasured(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    reasons = [
        f"{name(target)} is not measurable: {result['not_measurable']}."
        for content in contents
        for target, result in content["targets"].items()
        if "not_measurable" in result
    ]
    return list(dict.fromkeys(reasons))


def _without_stars(contents: Sequence[Mapping[str, Any]], count: int) -> list[str]:
    subjects = [
        found["n_subjects"]
        for content in contents
        for found in content["targets"].values()
        if "n_subjects" in found
    ]
    if not subjects or star_is_possible(count, max(subjects)):
        return []
    return [f"With {max(subjects)} subjects no p of {count} scores can fall below .05."]


def _warnings(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells people apart far better than what these people were doing."""
    found = []
    for content in contents:
        people = _above_chance(content["targets"], "identity", "accuracy")
        done = {
            target: share
            for target, result in content["targets"].items()
            if result.get("unit") == "window"
            and (share := _above_chance(content["targets"], target, "balanced_accuracy")) is not None
        }
        if people is None or not done:
            continue
        best = max(done, key=lambda target: done[target])
        if people > max(KNOWS_PEOPLE, 2 * done[best]):
            found.append(f"{content['node']} ({people:.0%}, and {name(best)} {done[best]:.0%})")
    if not found:
        return []
    return [
        "Warning: these tell people apart more than twice as well as anything that people did; what they "
        f"know may be heads and caps (from 0 % chance to 100 % perfect): {', '.join(found)}."
    ]


def _above_chance(targets: Mapping[str, Any], target: str, metric: str) -> float | None:
    score = _score(targets, target, metric)
    if score is None or score["value"] is None or score["floor"] is None:
        return None
    return max(0.0, (score["value"] - score["floor"]) / (1 - score["floor"]))


def _table(
    title: str,
    contents: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    starred: Container[tuple[str, str, str]],
    notes: Sequence[str],
) -> Table:
    rows = [
        [
            content["node"],
            *(
                interval(
                    _score(content["targets"], *column),
                    clear=(content["node"], *column) in starred,
                    digits=2,
                )
                for column in columns
            ),
        ]
        for content in contents
    ]
    floor = ["no EEG"]
    for target, metric in columns:
        found = [_score(content["targets"], target, metric) for content in contents]
        floor.append(number(next((score["floor"] for score in found if score), None)))
    rows.append(floor)
    notes = list(notes)
    scores = [_score(content["targets"], *column) for content in contents for column in columns]
    if any(score and score["value"] is not None and score["low"] is None for score in scores):
        notes.append(NO_INTERVAL)
    header = ["encoder", *(heading(target, metric) for target, metric in columns)]
    return Table(title, header, rows, notes, separated=frozenset({len(contents) - 1}))


def _score(targets: Mapping[str, Any], target: str, metric: str) -> Mapping[str, Any] | None:
    """A probe's metric; None where it was not asked for or could not be measured."""
    return targets.get(target, {}).get("metrics", {}).get(metric)
