"""One table of every recording found: the only step that scans the archives."""

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track

from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.files import atomic_path
from cerebro.recordings.groups import group_index, group_name
from cerebro.recordings.readers import load_reader
from cerebro.recordings.recording import Recording
from cerebro.recordings.signals import open_raw

SCHEMA = pa.schema(
    {
        "recording": pa.string(),
        "dataset": pa.string(),
        "reader": pa.string(),
        "release": pa.string(),
        "subject": pa.string(),
        "session": pa.string(),
        "task": pa.string(),
        "run": pa.string(),
        "path": pa.string(),
        "format": pa.string(),
        "size_bytes": pa.int64(),
        "mtime_ns": pa.int64(),
        "sfreq": pa.float64(),
        "duration": pa.float64(),
        "n_chans": pa.int32(),
        "channels": pa.string(),
        "filtered": pa.bool_(),
        "reference": pa.string(),
        "age": pa.float64(),
        "sex": pa.float64(),
        "p_factor": pa.float64(),
        "attention": pa.float64(),
        "internalizing": pa.float64(),
        "externalizing": pa.float64(),
        "group": pa.string(),
        "status": pa.string(),
        "reason": pa.string(),
    }
)
"""Columns of the inventory: sfreq in Hz, duration in s, channels as a JSON list in the file's order."""


def build_inventory(
    datasets: Mapping[str, Dataset],
    *,
    raw: Path | None,
    excluded_subjects: Sequence[str],
    output: Path,
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
        The parquet file to write, with the columns of :data:`SCHEMA`.

    Raises
    ------
    UserError
        If a folder doesn't exist, or no usable recording is found at all.
    """
    excluded = {subject.removeprefix("sub-") for subject in excluded_subjects}
    rows: list[dict[str, Any]] = []
    for name, dataset in datasets.items():
        found = list(load_reader(dataset.reader).scan(_roots(name, dataset, raw)))
        kept = [recording for recording in found if not dataset.tasks or recording.task in dataset.tasks]
        first_paths: dict[str, Path] = {}
        for recording in track(
            kept, description=f"headers of {name}", transient=True, disable=not sys.stdout.isatty()
        ):
            rows.append(_row(name, dataset, recording, excluded, first_paths))
    if not any(row["status"] == "ok" for row in rows):
        searched = ", ".join(
            f"{name}: {', '.join(map(str, _roots(name, part, raw)))}" for name, part in datasets.items()
        )
        reasons = Counter(row["reason"] for row in rows).most_common(1)
        why = f" ({len(rows)} found but unusable, mostly: {reasons[0][0]})" if rows else ""
        raise UserError(f"no usable recordings in {searched}{why}; check datasets.*.roots, reader and tasks")
    with atomic_path(output) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)
    print(_summary(rows))


def _roots(name: str, dataset: Dataset, raw: Path | None) -> tuple[Path, ...]:
    if not dataset.roots and raw is None:
        raise UserError(f"datasets.{name}.roots is empty and no folder of simulated data was given")
    roots = dataset.roots or (Path(raw or "") / name,)
    for root in roots:
        if not root.is_dir():
            raise UserError(f"datasets.{name}.roots: there is no folder {root}")
    return roots


def _row(
    dataset_name: str,
    dataset: Dataset,
    recording: Recording,
    excluded: set[str],
    first_paths: dict[str, Path],
) -> dict[str, Any]:
    identity = "/".join((dataset_name, *recording.name))
    row: dict[str, Any] = {
        "recording": identity,
        "dataset": dataset_name,
        "reader": dataset.reader,
        "release": recording.release,
        "subject": recording.subject,
        "session": recording.session,
        "task": recording.task,
        "run": recording.run,
        "path": str(recording.path),
        "format": recording.path.suffix.lower().lstrip("."),
        "filtered": recording.filtered,
        "reference": recording.reference,
        "group": group_name(dataset_name, group_index(recording.subject, dataset.groups)),
        "status": "ok",
        "reason": "",
        **asdict(recording.person),
        **_header(recording),
    }
    if identity in first_paths:
        copies = sum(seen.split("#")[0] == identity for seen in first_paths)
        row |= {
            "recording": f"{identity}#{copies + 1}",
            "status": "excluded",
            "reason": f"the same recording as {first_paths[identity]}",
        }
    elif recording.subject.removeprefix("sub-") in excluded:
        row |= {"status": "excluded", "reason": "subject excluded by the configuration"}
    first_paths[row["recording"]] = recording.path
    return row


def _header(recording: Recording) -> dict[str, Any]:
    unread = {"size_bytes": 0, "mtime_ns": 0, "sfreq": math.nan, "duration": math.nan, "n_chans": 0}
    nothing: dict[str, Any] = {**unread, "channels": "[]"}
    if not recording.path.exists():
        return {**nothing, "status": "quarantined", "reason": "not downloaded: the link points nowhere"}
    stat = recording.path.stat()
    nothing |= {"size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    if recording.problem:
        return {**nothing, "status": "quarantined", "reason": recording.problem}
    try:
        raw = open_raw(recording.path)
    except Exception as error:
        # Broken files make MNE and SciPy raise anything at all; one bad file must cost one file, named.
        reason = f"header unreadable: {type(error).__name__}: {error}".splitlines()[0]
        return {**nothing, "status": "quarantined", "reason": reason}
    sfreq = float(raw.info["sfreq"])
    return {
        **nothing,
        "sfreq": sfreq,
        "duration": raw.n_times / sfreq,
        "n_chans": len(raw.ch_names),
        "channels": json.dumps(raw.ch_names),
    }


def _summary(rows: list[dict[str, Any]]) -> str:
    usable = [row for row in rows if row["status"] == "ok"]
    subjects = {(row["dataset"], row["subject"]) for row in usable}
    hours = sum(row["duration"] for row in usable) / 3600
    counts = Counter(row["status"] for row in rows)
    per_dataset = ", ".join(
        f"{name} {count}" for name, count in Counter(row["dataset"] for row in usable).items()
    )
    return (
        f"inventory: {len(usable)} recordings ({per_dataset}) of {len(subjects)} subjects, {hours:.1f} h; "
        f"{counts['quarantined']} quarantined, {counts['excluded']} excluded"
    )
