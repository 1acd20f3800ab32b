"""The window index: every candidate window of every shard, its labels, quality and split."""

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track

from cerebro.config import CHALLENGES, AnyLabel, Splits, Windows
from cerebro.errors import UserError
from cerebro.files import atomic_path, write_json
from cerebro.recordings.failures import BY_CONFIGURATION, kind_of_reason, refuse_failures
from cerebro.recordings.same_eeg import Timed
from cerebro.shards.candidates import candidates, recording_events
from cerebro.shards.copies import copies_by_recording, mark_copies
from cerebro.shards.counts import Counts
from cerebro.shards.declarations import faults, how_many_have
from cerebro.shards.quality import window_quality
from cerebro.shards.splits import assign_splits
from cerebro.shards.store import ShardTable, open_shard, read_table

BASE = {
    "window": pa.int64(),
    "kind": pa.string(),
    "dataset": pa.string(),
    "release": pa.string(),
    "subject": pa.string(),
    "run": pa.string(),
    "recording": pa.string(),
    "shard": pa.string(),
    "start": pa.int64(),
    "length": pa.int32(),
    "onset": pa.float64(),
    "split": pa.string(),
    "stream": pa.string(),
    "moment": pa.float64(),
    "peak_to_peak": pa.float64(),
    "bad_channels": pa.float64(),
    "keep": pa.bool_(),
    "reason": pa.string(),
}
"""Columns of every index: start is a row of the shard, onset the same moment in s of the recording; stream
and moment (s) say which windows of different people belong together, empty and NaN where none do; reason is
empty where keep is true."""

_SCORED = [challenge.kind for challenge in CHALLENGES.values()]
_OF_RECORDING = ("dataset", "release", "subject", "run", "recording")


def index_schema(labels: Mapping[str, AnyLabel]) -> pa.Schema:
    """Return the columns of an index: :data:`BASE`, then one for each label, in declared order.

    A number is NaN where unknown, a class is text and empty where unknown.
    """
    of_labels = {name: pa.string() if label.is_class else pa.float64() for name, label in labels.items()}
    return pa.schema(BASE | of_labels)


def build_index(
    windows: Windows,
    splits: Splits,
    labels: Mapping[str, AnyLabel],
    *,
    inventory: Path,
    shards: Sequence[Path],
    max_failed_share: Mapping[str, float],
    output: Path,
    summary: Path,
) -> None:
    """Write the window index and its counts.

    Parameters
    ----------
    windows
        Lengths, strides and quality thresholds.
    splits
        Who is tested, who validates, who is left out.
    labels
        All declared labels, by name.
    inventory
        The inventory of all recordings, with what tables say of them and of their people.
    shards
        Tables of the shards; the signals lie beside them under the same name.
    max_failed_share
        By dataset, the largest share of its recordings that may be quarantined.
    output
        The parquet index to write, with the columns of :func:`index_schema`.
    summary
        The JSON of counts to write; recordings and windows are counted under different names.

    Raises
    ------
    UserError
        If the shards don't hold the inventory's recordings, too many of these are quarantined, or no window
        at all is kept.
    """
    found = pd.read_parquet(inventory)
    known = _usable(found, splits)
    split_of = assign_splits(known, splits, found=found)
    rows = {row["recording"]: row for row in known.to_dict(orient="records")}
    counts, schema = Counts(), index_schema(labels)
    for fault in faults(known, labels):
        warnings.warn(fault.sentence, stacklevel=2)
    counts.labels = how_many_have(known, labels)
    unused = found[~found["recording"].isin(known["recording"])]
    for dataset, status, reason in zip(unused["dataset"], unused["status"], unused["reason"], strict=True):
        # A subject may be excluded since the inventory was made.
        why = ("excluded", BY_CONFIGURATION) if status == "ok" else (status, kind_of_reason(reason))
        counts.unused[dataset, *why] += 1
    seen: set[str] = set()
    with atomic_path(output) as temporary:
        with pq.ParquetWriter(temporary, schema) as writer:
            for path in track(shards, description="windows", transient=True, disable=not sys.stdout.isatty()):
                shard = read_table(path)
                frames = _index_shard(shard, path, rows, split_of, windows, labels, counts)
                seen.update(shard.recordings["recording"])
                if frames:
                    frame = pd.concat(frames, ignore_index=True)
                    frame["window"] = np.arange(counts.candidates, counts.candidates + len(frame))
                    counts.add(frame)
                    writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))
        if missing := set(rows) - seen:
            raise UserError(
                f"{len(missing)} recordings of {inventory} are in none of the given shards, for instance "
                f"{min(missing)}; build the shards again"
            )
        for dataset, limit in max_failed_share.items():
            refuse_failures(
                dataset,
                counts.failures.get(dataset, []),
                recordings=int((known["dataset"] == dataset).sum()),
                limit=limit,
            )
        if not counts.kept:
            raise UserError(f"no window is kept: {counts.explain()}; see windows.* and datasets.*.tasks")
    write_json(summary, counts.as_json())
    print(counts.line())


def _usable(inventory: pd.DataFrame, splits: Splits) -> pd.DataFrame:
    excluded = {subject.removeprefix("sub-") for subject in splits.excluded_subjects}
    named = inventory["subject"].str.removeprefix("sub-").isin(excluded)
    return inventory[(inventory["status"] == "ok") & ~named]


def _index_shard(
    shard: ShardTable,
    path: Path,
    rows: Mapping[str, Mapping[str, Any]],
    split_of: Mapping[str, str],
    windows: Windows,
    labels: Mapping[str, AnyLabel],
    counts: Counts,
) -> list[pd.DataFrame]:
    signals = open_shard(path.with_suffix(".npy"))
    column = {name: index for index, name in enumerate(shard.channels)}
    entries: dict[str, dict[str, Any]] = {}
    for entry in shard.recordings.to_dict(orient="records"):
        row = rows.get(entry["recording"])
        if row is None:
            continue
        if entry["length"] == 0:
            counts.recordings[row["dataset"], split_of[row["subject"]], "quarantined"] += 1
            counts.failures.setdefault(row["dataset"], []).append(entry["reason"])
            continue
        counts.recordings[row["dataset"], split_of[row["subject"]], "indexed"] += 1
        entries[entry["recording"]] = entry
    events = {name: recording_events(rows[name], counts.notes) for name in entries}
    frames = {
        name: candidates(
            rows[name],
            events[name],
            n_times=entry["length"],
            sfreq=shard.sfreq,
            windows=windows,
            labels=labels,
            notes=counts.notes,
        )
        for name, entry in entries.items()
    }
    timed = [
        Timed(name=name, events=found, duration=entries[name]["length"] / shard.sfreq)
        for name, found in events.items()
        if found is not None
    ]
    copies = copies_by_recording(timed, rows, counts.notes)
    mark_copies(frames, copies, rows, sfreq=shard.sfreq)
    for name, entry in entries.items():
        row, split, frame = rows[name], split_of[rows[name]["subject"]], frames[name]
        present = [column[channel] for channel in json.loads(entry["channels"])]
        samples = signals[entry["offset"] : entry["offset"] + entry["length"]][:, present]
        frame = _judge(frame, samples, split, windows)
        frame = frame.assign(
            **{column: row[column] for column in _OF_RECORDING}, split=split, shard=path.stem
        )
        frame["onset"] = frame["start"] / shard.sfreq
        frame["start"] += entry["offset"]
        frames[name] = frame
    return list(frames.values())


def _judge(frame: pd.DataFrame, samples: np.ndarray, split: str, windows: Windows) -> pd.DataFrame:
    """Add quality, and the reason why a window is not kept; scored windows of the test set are all kept."""
    peak_to_peak, bad = np.zeros(len(frame)), np.zeros(len(frame))
    for length in frame["length"].unique():
        same = (frame["length"] == length).to_numpy()
        starts = frame.loc[same, "start"].to_numpy()
        peak_to_peak[same], bad[same] = window_quality(samples, starts, length=int(length))
    reason = frame["reason"].to_numpy(dtype=object, copy=True)
    reason[(reason == "") & (peak_to_peak > windows.max_peak_to_peak)] = "max_peak_to_peak"
    reason[(reason == "") & (bad > windows.max_bad_channels)] = "max_bad_channels"
    if split == "test":
        reason[frame["kind"].isin(_SCORED).to_numpy()] = ""
    return frame.assign(peak_to_peak=peak_to_peak, bad_channels=bad, keep=reason == "", reason=reason)
