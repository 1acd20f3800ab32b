"""What the check found, as tables for a terminal of 100 columns."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import pandas as pd
from rich.filesize import decimal

from cerebro.check.prospects import Outlook
from cerebro.check.survey import Survey
from cerebro.config import AnyLabel, PersonLabel, RecordingLabel, TimedLabel
from cerebro.recordings.failures import kind_of_reason
from cerebro.report.tables import Table
from cerebro.shards.declarations import is_known, label_table
from cerebro.shards.labels import has_label

SPLITS = ("train", "validation", "test")
_MOST_REASONS = 8
_MOST_CLASSES = 4


def archives(surveys: Sequence[Survey]) -> Table:
    """Which folders exist, and how much lies in them."""
    rows = []
    for survey in surveys:
        folders = [str(root) if there else f"{root} (not there)" for root, there in survey.roots.items()]
        usable = survey.usable
        totals = [""] * 4
        if not usable.empty:
            totals = [
                _subjects(usable),
                f"{len(usable):,}",
                _hours(usable),
                decimal(int(usable["size_bytes"].sum())),
            ]
        rows += [
            [survey.name, folders[0], *totals],
            *([survey.name, folder, *[""] * 4] for folder in folders[1:]),
        ]
    notes = [_sampled(survey) for survey in surveys if not survey.usable.empty]
    return Table(
        title="Archives",
        header=["dataset", "folder", "subjects", "recordings", "hours*", "size"],
        rows=_once(rows),
        n_names=2,
        notes=notes,
    )


def _sampled(survey: Survey) -> str:
    headers, sidecars = len(survey.lengths.headers), survey.lengths.sidecars
    said = f"{headers} headers" + (f" and {sidecars} sidecars" if sidecars else "")
    return f"* {survey.name}: estimated from file sizes and {said} of {len(survey.usable):,} recordings"


def tasks(surveys: Sequence[Survey]) -> Table:
    """Recordings by task."""
    rows = []
    for survey in surveys:
        for task, part in survey.usable.groupby("task"):
            rows.append(
                [
                    survey.name,
                    str(task) or "(none)",
                    _subjects(part),
                    f"{len(part):,}",
                    _hours(part),
                ]
            )
    header = ["dataset", "task", "subjects", "recordings", "hours*"]
    return Table(title="Tasks", header=header, rows=_once(rows), n_names=2)


def labels(surveys: Sequence[Survey], declared: Mapping[str, AnyLabel]) -> Table:
    """Count the people or recordings that have each label, with its classes or its range."""
    rows, notes = [], []
    unknown: dict[str, list[list[str]]] = {}
    for survey in surveys:
        usable = survey.usable
        own = {
            name: label
            for name, label in declared.items()
            if isinstance(label, PersonLabel | RecordingLabel) and has_label({"dataset": survey.name}, label)
        }
        if survey.labels_in_headers and own and not usable.empty:
            usable = usable[usable["opened"]]
            notes.append(f"{survey.name}: labels stand in the headers, of which {len(usable)} were read")
        table = label_table(usable, own).assign(subject=usable["subject"])
        for name, label in own.items():
            values = (
                table[name] if isinstance(label, RecordingLabel) else table.groupby("subject")[name].first()
            )
            known = values[is_known(values, label)]
            of = "recordings" if isinstance(label, RecordingLabel) else "people"
            row = [survey.name, name, of, f"{len(known):,}", f"{len(values) - len(known):,}"]
            if known.empty:
                unknown.setdefault(name, []).append([*row, ""])
            else:
                rows.append([*row, _told(known, label)])
    # A label that one dataset has is nothing that another lacks.
    nobodys = set(unknown) - {row[1] for row in rows}
    rows += [row for name, missing in unknown.items() if name in nobodys for row in missing]
    order = [survey.name for survey in surveys]
    rows.sort(key=lambda row: order.index(row[0]))
    header = ["dataset", "label", "of", "known", "unknown", "values"]
    return Table(title="Labels", header=header, rows=_once(rows), n_names=3, notes=notes)


def timed_labels(windows: pd.DataFrame, declared: Mapping[str, AnyLabel]) -> Table:
    """Windows of the recordings that were looked at, by label of an interval, an event or a moment.

    Parameters
    ----------
    windows
        What :func:`cerebro.check.prospects.possible_windows` returns.
    declared
        All labels.
    """
    rows = []
    for dataset, part in windows.groupby("dataset", sort=False):
        looked_at = part["recording"].nunique()
        for name, label in declared.items():
            own = part[part["kind"] == name]
            if isinstance(label, TimedLabel) and has_label({"dataset": dataset}, label) and len(own):
                found = f"{own['recording'].nunique()} of {looked_at}"
                known = own.loc[is_known(own[name], label), name]
                rows.append([str(dataset), name, f"{label.of}s", found, f"{len(own):,}", _told(known, label)])
    header = ["dataset", "label", "of", "recordings", "windows", "values"]
    notes = ["of some recordings of each dataset, task and split, whose events were read"]
    return Table(title="Labels in events", header=header, rows=_once(rows), n_names=3, notes=notes)


def _told(known: pd.Series, label: AnyLabel) -> str:
    """The classes and how many have each, or the range of a number."""
    if known.empty:
        return ""
    if not label.is_class:
        return f"{known.min():g} to {known.max():g}"
    sizes = known.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    counted = [f"{value} {size:,}" for value, size in sizes.items()]
    more = f", {len(counted) - _MOST_CLASSES} more" if len(counted) > _MOST_CLASSES else ""
    return ", ".join(counted[:_MOST_CLASSES]) + more


def left_out(surveys: Sequence[Survey]) -> Table:
    """What would not go on, and why."""
    rows = []
    for survey in surveys:
        out = survey.rows[survey.rows["status"] != "ok"]
        why = out["reason"].map(kind_of_reason)
        lines = [
            (len(part), [survey.name, str(status), _with_example(part, str(reason)), _subjects(part)])
            for (status, reason), part in out.assign(why=why).groupby(["status", "why"])
        ]
        lines += [
            (size, [survey.name, "unwanted", f"{reason}: {of}", ""])
            for (reason, of), size in survey.unwanted.items()
        ]
        lines.sort(key=lambda line: -line[0])
        rows += [[*cells, f"{size:,}"] for size, cells in lines[:_MOST_REASONS]]
        if rest := lines[_MOST_REASONS:]:
            rows.append([survey.name, "", f"{len(rest)} further reasons", "", f"{sum(n for n, _ in rest):,}"])
    header = ["dataset", "status", "why", "subjects", "recordings"]
    return Table(title="Left out", header=header, rows=_once(rows), n_names=3)


def splits(rows: pd.DataFrame) -> Table:
    """Subjects by split."""
    counted = rows.groupby(["dataset", "split"])["subject"].nunique()
    cells = [
        [str(dataset), *(f"{int(counted.get((dataset, split), 0)):,}" for split in SPLITS)]
        for dataset in rows["dataset"].unique()
    ]
    header = ["dataset", *SPLITS]
    return Table(title="Subjects by split", header=header, rows=cells)


def phases(outlooks: Sequence[Outlook]) -> Table:
    """Subjects that could give each phase its windows."""
    rows = [
        [
            outlook.name,
            outlook.kind,
            "no" if outlook.problem else "yes",
            *(f"{outlook.subjects.get(split, 0):,}" for split in SPLITS),
        ]
        for outlook in outlooks
    ]
    header = ["phase", "kind", "can run", *(f"{split} subjects" for split in SPLITS)]
    return Table(title="Phases", header=header, rows=rows, n_names=3)


def disk(sizes: dict[str, int], free: int, folder: str) -> Table:
    """Expected size of the shards against what is free."""
    rows = [[f"shards of {name}", decimal(size)] for name, size in sizes.items()]
    rows.append([f"free in {folder}", decimal(free)])
    return Table(title="Disk", header=["", "size*"], rows=rows)


def _hours(rows: pd.DataFrame) -> str:
    hours = float(rows["duration"].sum()) / 3600
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 1 else f"{hours:.2f}"


def _once(rows: list[list[str]]) -> list[list[str]]:
    """Write a dataset's name only where it begins."""
    seen = ""
    cleaned = []
    for name, *rest in rows:
        cleaned.append(["" if name == seen else name, *rest])
        seen = name
    return cleaned


def _with_example(rows: pd.DataFrame, reason: str) -> str:
    """A reason, and below it the first file that it befell, where somebody should look at it."""
    first = rows.iloc[0]
    return f"{reason}\n{PurePath(first['path']).name}" if first["status"] == "quarantined" else reason


def _subjects(rows: pd.DataFrame) -> str:
    return f"{rows['subject'].nunique():,}"
