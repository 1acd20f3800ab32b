"""Do the channels that models leave out of windows tell a label by themselves?

Where they do, a score may come from faults of the recordings instead of EEG: whoever trains or compares on
such data must know. Every label is read from nothing but which channels take part, by the probes' own linear
forms, people apart. No window index is refused for it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from cerebro.config import AnyLabel
from cerebro.data.spread import spread
from cerebro.data.windows import WindowDataset
from cerebro.files import write_json
from cerebro.models.front_end import FrontEnd
from cerebro.probes.run import answer
from cerebro.probes.targets import Target, probe_targets
from cerebro.shards.store import read_table
from cerebro.statistics.bootstrap import Interval, SubjectBootstrap
from cerebro.statistics.linear import TooFewSubjects

WINDOWS = 8
"""Windows of one kind looked at in a recording, evenly spread."""
RECORDINGS = 2000
"""Recordings of a dataset that are looked at: more would not make an answer surer, only slower."""
PEOPLE = 10
"""People with a label, from which on it is asked for; of each class half as many."""
PENALTIES = (10.0,)
RESAMPLES = 2000
BATCH_SIZE = 64

_ROWS = 1_000_000
Targets = Mapping[str, Target]
_IDENTITY = ["window", "kind", "dataset", "subject", "recording", "shard", "start", "length", "split"]


def audit_masks(labels: Mapping[str, AnyLabel], *, index: Path, shards: Path, output: Path) -> None:
    """Write for each dataset and label how well it is read from the channels that take part in windows.

    Parameters
    ----------
    labels
        The declared ones; those of moments are not asked for.
    index, shards
        The window index, and the folder of the shards.
    output
        The JSON to write: ``datasets``, each with ``left_out`` (mean number of recorded channels that the
        front end leaves out of a window) and ``labels``. A label has its ``metric`` (``auc`` of two classes,
        ``balanced_accuracy`` of more, ``r`` of numbers), ``chance``, ``value`` with its 95 % interval from
        ``low`` to ``high``, and ``above_chance``, at a level divided by the number of labels; or
        ``not_measurable`` with the reason. ``warnings`` holds a sentence for each label above chance.
    """
    targets = {
        name: target
        for name, target in probe_targets(tuple(labels), labels).items()
        if target.form in ("regression", "classification")
    }
    chosen = _choose(index, targets)
    datasets = {
        str(name): _dataset(rows.reset_index(drop=True), targets, shards)
        for name, rows in chosen.groupby("dataset")
    }
    warnings = [
        _warning(name, label, found)
        for name, dataset in datasets.items()
        for label, found in dataset["labels"].items()
        if found.get("above_chance")
    ]
    write_json(output, {"datasets": datasets, "warnings": warnings})
    for sentence in warnings:
        print(f"warning: {sentence}", flush=True)


def _warning(dataset: str, label: str, found: Mapping[str, Any]) -> str:
    score = f"{found['metric']} {found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
    return (
        f"{dataset}: the channels that models leave out of windows tell {label} by themselves ({score}, "
        f"chance {found['chance']:.2g}): a score on it may come from faults of recordings"
    )


def _choose(index: Path, targets: Targets) -> pd.DataFrame:
    """Some windows of each kind in each recording, of some recordings of each dataset.

    Whether they are kept or not: recordings that lose all their windows would hide what was masked in them.
    """
    kinds = list(dict.fromkeys(target.windows for target in targets.values()))
    columns = [*_IDENTITY, *targets]
    parts = []
    with pq.ParquetFile(index) as file:  # in parts: TUH alone has some ten million windows
        for batch in file.iter_batches(batch_size=_ROWS, columns=columns):
            rows = batch.to_pandas()
            parts.append(_some(rows[rows["kind"].isin(kinds)]))
    rows = _some(pd.concat(parts))
    names = rows[["dataset", "recording"]].drop_duplicates().groupby("dataset")["recording"]
    recordings = {name for _, part in names for name in part.iloc[spread(len(part), RECORDINGS)]}
    return rows[rows["recording"].isin(recordings)]


def _some(rows: pd.DataFrame) -> pd.DataFrame:
    places = rows.groupby(["recording", "kind"]).indices.values()
    chosen = [numbers[spread(len(numbers), WINDOWS)] for numbers in places]
    return rows.iloc[np.sort(np.concatenate(chosen))] if chosen else rows


def _dataset(rows: pd.DataFrame, targets: Targets, shards: Path) -> dict[str, Any]:
    absent, recorded = _left_out(rows, shards)
    asked = {
        name: _read(target, absent, rows) for name, target in targets.items() if _known(rows, target).any()
    }
    level = 0.05 / max(1, sum(not isinstance(found, str) for found in asked.values()))
    labels = {
        name: {"not_measurable": found} if isinstance(found, str) else _scored(found, level)
        for name, found in asked.items()
    }
    return {"left_out": float((absent & recorded).sum(axis=1).mean()), "labels": labels}


def _left_out(rows: pd.DataFrame, shards: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the dataset's channels take no part in a window, and which its shard has, (n, n_chans)."""
    tables = {name: read_table(shards / f"{name}.parquet") for name in rows["shard"].unique()}
    channels = sorted({channel for table in tables.values() for channel in table.channels})
    absent = np.ones((len(rows), len(channels)), dtype=bool)
    recorded = np.zeros_like(absent)
    for (name, _), part in rows.groupby(["shard", "length"]):
        columns = [channels.index(channel) for channel in tables[str(name)].channels]
        present = np.concatenate(list(_present(part.reset_index(drop=True), shards)))
        absent[np.ix_(part.index, columns)] = ~present
        recorded[np.ix_(part.index, columns)] = True
    return absent, recorded


def _present(rows: pd.DataFrame, shards: Path) -> Iterator[NDArray[np.bool_]]:
    dataset, front_end = WindowDataset(rows, shards), FrontEnd()
    for first in range(0, len(rows), BATCH_SIZE):
        batch = dataset[range(first, min(first + BATCH_SIZE, len(rows)))]
        with torch.inference_mode():
            yield front_end(batch["signal"], batch["positions"])[1].numpy()


def _known(rows: pd.DataFrame, target: Target) -> pd.Series:
    label = rows[target.label]
    return (rows["kind"] == target.windows) & label.notna() & (label != "")


def _read(target: Target, absent: NDArray[np.bool_], rows: pd.DataFrame) -> Mapping[str, Any] | str:
    """Truth and cross-fitted predictions of a label, or why there are none."""
    known = _known(rows, target)
    # Nothing was trained on anybody: all people take part, and windows of one recording and class are one.
    windows = rows[known].assign(split="test")
    features = pd.DataFrame(absent[known.to_numpy()].astype(float), index=windows.index)
    if target.form == "classification":
        people = windows.groupby(target.label)["subject"].nunique()
        if len(people) < 2 or people.min() < PEOPLE / 2:
            return f"people by class: {', '.join(f'{name} {size}' for name, size in people.items())}"
        key = [windows["recording"], windows[target.label]]
        features, windows = features.groupby(key).mean(), windows.groupby(key).first().reset_index()
    if (people := windows["subject"].nunique()) < PEOPLE:
        return f"{people} people, {PEOPLE} are needed"
    x = features.to_numpy(dtype=np.float32)
    if not np.ptp(x, axis=0).any():
        return "the same channels take part in all windows"
    x = np.column_stack([x, x.sum(axis=1)])
    found = answer(target, x, windows, penalties=PENALTIES)
    if isinstance(found, TooFewSubjects):
        return str(found)
    metric = next(name for name in ("auc", "r", "balanced_accuracy") if name in found.measures)
    measure = found.measures[metric]
    classes = len(np.unique(measure.truth))
    chance = {"auc": 0.5, "r": 0.0, "balanced_accuracy": 1 / classes}[metric]
    return {"metric": metric, "measure": measure, "subjects": found.subjects, "chance": chance}


def _scored(found: Mapping[str, Any], level: float) -> dict[str, Any]:
    measure, subjects = found["measure"], found["subjects"]
    bootstrap = SubjectBootstrap(subjects, resamples=RESAMPLES)
    distribution = bootstrap.distribution(measure.metric, measure.truth, measure.predicted, subjects=subjects)
    value = measure.metric(measure.truth, measure.predicted)
    interval = Interval.of(value, distribution, n_subjects=len(bootstrap.subjects))
    if interval.low is None:  # predictions without spread
        return {"not_measurable": "masks differ in too few recordings"}
    defined = distribution[np.isfinite(distribution)]
    return {
        "metric": found["metric"],
        "chance": found["chance"],
        **interval.as_json(),
        "people": len(bootstrap.subjects),
        "above_chance": bool(np.quantile(defined, level / 2) > found["chance"]),
    }
