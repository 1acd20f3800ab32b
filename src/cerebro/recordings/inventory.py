"""One table of every recording found: the only step that scans the archives."""

import csv
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track

from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.files import atomic_path
from cerebro.recordings.copies import leave_out_parts, tell_copies_apart
from cerebro.recordings.exclusions import Exclusions, bare, read_exclusions
from cerebro.recordings.failures import kind_of_reason, refuse_failures, refuse_unreadable
from cerebro.recordings.folders import folder_from_root
from cerebro.recordings.groups import group_index, group_name
from cerebro.recordings.headers import Header, read_headers
from cerebro.recordings.readers import load_reader, person_function
from cerebro.recordings.recording import Recording
from cerebro.recordings.remarks import channels_not_understood, warn_of_contradictions

SCHEMA = pa.schema(
    {
        "recording": pa.string(),
        "dataset": pa.string(),
        "reader": pa.string(),
        "release": pa.string(),
        "subject": pa.string(),
        "session": pa.string(),
        "task": pa.string(),
        "acquisition": pa.string(),
        "run": pa.string(),
        "path": pa.string(),
        "folder": pa.string(),
        "format": pa.string(),
        "size_bytes": pa.int64(),
        "mtime_ns": pa.int64(),
        "sfreq": pa.float64(),
        "duration": pa.float64(),
        "n_chans": pa.int32(),
        "channels": pa.string(),
        "left_out": pa.string(),
        "filtered": pa.bool_(),
        "reference": pa.string(),
        "mains_hz": pa.float64(),
        "person": pa.string(),
        "facts": pa.string(),
        "group": pa.string(),
        "status": pa.string(),
        "reason": pa.string(),
    }
)
"""Columns of the inventory: sfreq and mains_hz (NaN unknown) in Hz, duration in s, channels as a JSON list in
the file's order, and as another the labels that were not understood (``left_out``). ``person`` and ``facts``
are JSON objects of text by column, as tables of participants and of scans write it; ``folder`` is the path of
the file's folder from its root on, the root's own name included.

``status`` is ``ok``, ``quarantined`` (broken), ``excluded`` (by the configuration, or a second copy) or
``missing`` (not downloaded), with its ``reason``; only what is ``ok`` goes on.
"""


def build_inventory(
    datasets: Mapping[str, Dataset],
    *,
    raw: Path | None,
    excluded_subjects: Sequence[str],
    output: Path,
    state: Path | None = None,
    threads: int = 1,
) -> None:
    """Scan every dataset, read the headers and write the inventory.

    Parameters
    ----------
    datasets
        Archives by name.
    raw
        Where datasets without roots lie, each under its own name.
    excluded_subjects
        Subjects that stay in the table with the status ``excluded``, with or without ``sub-``.
    output
        The parquet file to write, with the columns of :data:`SCHEMA`. Beside it `quarantined.csv` lists which
        recordings are broken and why, also where they are too many for the step to go on.
    state
        Folder in which headers are remembered, so that the next scan opens only files that changed.
    threads
        Files opened side by side.

    Raises
    ------
    UserError
        If a folder doesn't exist, the disk does not give a file, too many recordings of a dataset are broken,
        or no usable recording is found at all.
    """
    roots = {name: _roots(name, dataset, raw) for name, dataset in datasets.items()}
    found = {name: _find(name, dataset, roots[name], excluded_subjects) for name, dataset in datasets.items()}
    wanted = [recording.path for part in found.values() for recording, reason in part if not reason]
    headers = track(
        read_headers(wanted, state=state, threads=threads),
        total=len(wanted),
        description="headers",
        transient=True,
        disable=not sys.stdout.isatty(),
    )
    header_of = dict(zip(wanted, headers, strict=True))
    rows: list[dict[str, Any]] = []
    for name, dataset in datasets.items():
        read_person = person_function(dataset.reader)
        own = [
            inventory_row(
                name,
                dataset,
                recording,
                reason,
                header_of.get(recording.path, Header()),
                read_person,
                roots=roots[name],
            )
            for recording, reason in found[name]
        ]
        warn_of_contradictions(
            name, ((one, header_of.get(one.path, Header())) for one, _ in found[name]), read_person
        )
        leave_out_parts(own, {str(path): header.parts for path, header in header_of.items()})
        tell_copies_apart(own)
        rows += own
    print(_summary(rows))
    quarantined = output.with_name("quarantined.csv")
    _list_quarantined(rows, quarantined)
    for name, dataset in datasets.items():
        unreadable = [row for row in rows if row["dataset"] == name and row["status"] == "unreadable"]
        refuse_unreadable(name, [(row["path"], row["reason"]) for row in unreadable])
        tried = [row for row in rows if row["dataset"] == name and row["status"] in ("ok", "quarantined")]
        broken = [row["reason"] for row in tried if row["status"] == "quarantined"]
        limit = dataset.max_failed_share
        refuse_failures(name, broken, recordings=len(tried), limit=limit, listed_in=quarantined)
    if not any(row["status"] == "ok" for row in rows):
        searched = ", ".join(
            f"{name}: {', '.join(map(str, _roots(name, part, raw)))}" for name, part in datasets.items()
        )
        reasons = Counter(row["reason"] for row in rows).most_common(1)
        why = f" ({len(rows)} found but unusable, mostly: {reasons[0][0]})" if rows else ""
        raise UserError(f"no usable recordings in {searched}{why}; check datasets.*.roots, reader and tasks")
    with atomic_path(output) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)


def _roots(name: str, dataset: Dataset, raw: Path | None) -> tuple[Path, ...]:
    if not dataset.roots and raw is None:
        raise UserError(f"datasets.{name}.roots is empty and no folder of simulated data was given")
    roots = dataset.roots or (Path(raw or "") / name,)
    for root in roots:
        if not root.is_dir():
            raise UserError(f"datasets.{name}.roots: there is no folder {root}")
    return roots


def _find(
    name: str, dataset: Dataset, roots: Sequence[Path], excluded_subjects: Sequence[str]
) -> list[tuple[Recording, str]]:
    """Every recording of the tasks and releases in question, and why it stays out (empty: it doesn't)."""
    exclusions = read_exclusions(name, dataset, excluded_subjects)
    recordings = [
        recording
        for recording in load_reader(dataset.reader).scan(roots)
        if not why_unwanted(recording, name, dataset)
    ]
    _warn_of_unknown_names(name, dataset, exclusions, recordings)
    return [(recording, exclusions.reason(recording.subject)) for recording in recordings]


def why_unwanted(recording: Recording, name: str, dataset: Dataset) -> str:
    """Say which key leaves a recording out of a dataset altogether; empty if none does."""
    if dataset.tasks and recording.task not in dataset.tasks:
        return f"task not among datasets.{name}.tasks"
    if dataset.releases and recording.release and recording.release not in dataset.releases:
        return f"release not among datasets.{name}.releases"
    return ""


def _warn_of_unknown_names(
    name: str, dataset: Dataset, exclusions: Exclusions, recordings: Sequence[Recording]
) -> None:
    """Say how many of those to keep are not there: their list may be of another version of the archive."""
    unknown = sorted((exclusions.keep or frozenset()) - {bare(recording.subject) for recording in recordings})
    if unknown:
        warnings.warn(
            f"datasets.{name}.keep names {len(unknown)} subjects who have no recording there, for instance "
            f"{unknown[0]}",
            stacklevel=2,
        )


def inventory_row(
    dataset_name: str,
    dataset: Dataset,
    recording: Recording,
    excluded: str,
    header: Header,
    read_person: Callable[[str], dict[str, str]] | None,
    *,
    roots: Sequence[Path],
) -> dict[str, Any]:
    """Make the row of a recording, with the columns of :data:`SCHEMA`.

    Parameters
    ----------
    dataset_name, dataset
        The archive's name and settings.
    recording
        What the reader found.
    excluded
        Why it stays out by the configuration; empty if it doesn't.
    header
        What its header says.
    read_person
        What reads the subject from the patient field of a header, if the archive keeps it there.
    roots
        The folders that were searched.
    """
    stated = read_person(header.patient) if read_person is not None and header.patient else {}
    status, reason = header.status, header.reason
    if excluded:
        status, reason = "excluded", excluded
    elif status == "ok" and recording.problem:
        status, reason = "quarantined", recording.problem
    return {
        "recording": "/".join((dataset_name, *recording.name)),
        "dataset": dataset_name,
        "reader": dataset.reader,
        "release": recording.release,
        "subject": recording.subject,
        "session": recording.session,
        "task": recording.task,
        "acquisition": recording.acquisition,
        "run": recording.run,
        "path": str(recording.path),
        "folder": folder_from_root(recording.path, roots),
        "format": recording.path.suffix.lower().lstrip("."),
        "size_bytes": header.size_bytes,
        "mtime_ns": header.mtime_ns,
        "sfreq": header.sfreq,
        "duration": header.duration,
        "n_chans": len(header.channels),
        "channels": json.dumps(header.channels),
        "left_out": json.dumps(header.left_out),
        "filtered": recording.filtered,
        "reference": recording.reference,
        "mains_hz": recording.mains_hz if dataset.mains_hz is None else float(dataset.mains_hz),
        "person": _as_json({**stated, **recording.person}),
        "facts": _as_json(recording.facts),
        "group": group_name(dataset_name, group_index(recording.subject, dataset.groups)),
        "status": status,
        "reason": reason,
    }


def _as_json(texts: Mapping[str, str]) -> str:
    return json.dumps(dict(texts), sort_keys=True, ensure_ascii=False)


def _list_quarantined(rows: Sequence[dict[str, Any]], output: Path) -> None:
    with atomic_path(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ("dataset", "path", "reason"), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row for row in rows if row["status"] == "quarantined")


def _summary(rows: list[dict[str, Any]]) -> str:
    usable = [row for row in rows if row["status"] == "ok"]
    subjects = {(row["dataset"], row["subject"]) for row in usable}
    hours = sum(row["duration"] for row in usable) / 3600
    counts = Counter(row["status"] for row in rows)
    per_dataset = ", ".join(
        f"{name} {count}" for name, count in Counter(row["dataset"] for row in usable).items()
    )
    lines = [
        f"inventory: {len(usable)} recordings ({per_dataset}) of {len(subjects)} subjects, {hours:.1f} h; "
        f"{counts['quarantined']} quarantined, {counts['excluded']} excluded, {counts['missing']} missing"
    ]
    first: dict[tuple[str, str, str], str] = {}
    sizes: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        if row["status"] != "ok":
            why = (row["dataset"], row["status"], kind_of_reason(row["reason"]))
            first.setdefault(why, row["path"])
            sizes[why] += 1
    for why, size in sizes.most_common():
        dataset, status, reason = why
        lines.append(f"  {dataset}: {size} {status}: {reason} (first: {first[why]})")
    for name in dict.fromkeys(row["dataset"] for row in rows):
        if said := channels_not_understood([row for row in rows if row["dataset"] == name]):
            lines.append(f"  {name}: {said}")
    return "\n".join(lines)
