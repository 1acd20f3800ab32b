"""The audit: reads the finished window index and refuses it if a test subject could reach a training row.

It shares no code with what made the index (:mod:`cerebro.shards.splits`, :mod:`cerebro.shards.windows`): it
knows the columns of the inventory, of the shards' tables and of the index, and what must hold between them.
No phase reads an index that did not pass.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cerebro.config import CHALLENGES
from cerebro.errors import UserError
from cerebro.files import write_json
from cerebro.recordings.hbn import release_of_folder

SPLITS = ("train", "validation", "test")

_IDENTITY = ["dataset", "release", "subject", "recording", "shard", "split"]
_PLACE = ["recording", "shard", "start", "length", "onset"]
_SCORED = ["kind", "keep", *(label for _, label in CHALLENGES.values())]
_BATCH = 1_000_000
_EXAMPLES = 3


@dataclass
class _Findings:
    """What must hold and doesn't, with a few examples of each."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, rule: str, broken: Sequence[str]) -> None:
        if len(broken):
            self.counts[rule] = self.counts.get(rule, 0) + len(broken)
            known = self.examples[rule]
            known += [name for name in dict.fromkeys(broken) if name not in known][: _EXAMPLES - len(known)]

    def sentence(self) -> str:
        return "; ".join(
            f"{rule}: {count} (as {', '.join(self.examples[rule])})" for rule, count in self.counts.items()
        )


def audit(
    *,
    test_releases: Sequence[str],
    excluded_subjects: Sequence[str],
    index: Path,
    inventory: Path,
    shards: Sequence[Path],
    output: Path,
) -> None:
    """Check the window index and write what was checked.

    Parameters
    ----------
    test_releases
        Releases that may only be scored; without any, nothing needs to be there to score.
    excluded_subjects
        Subjects of whom there must be no window, with or without ``sub-``.
    index, inventory
        The window index and the inventory of all recordings.
    shards
        Tables of the shards; the signals lie beside them under the same name.
    output
        The JSON to write: numbers and digests of the subjects of each split, subjects that stand in several
        datasets.

    Raises
    ------
    UserError
        If a subject of a test release has a window of another split, stands in two splits or is excluded; if
        a window's recording is not a usable one of the inventory; if a window lies outside its recording; or
        if a challenge has windows, and none to score.
    """
    findings = _Findings()
    rows = pd.read_parquet(inventory)
    places = _places(shards, findings)
    identities, windows = [], 0
    labelled: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for batch in _batches(index, sorted({*_IDENTITY, *_PLACE, *_SCORED})):
        windows += len(batch)
        for kind, label in CHALLENGES.values():
            given = batch[(batch["kind"] == kind) & batch[label].notna() & batch["keep"]]
            labelled[label].update(zip(given["split"], given["release"], strict=True))
        identities.append(batch[_IDENTITY].drop_duplicates())
        _check_places(batch[_PLACE], places, findings)
    if not windows:
        raise UserError(f"{index} holds no window; build it again")
    used = pd.concat(identities, ignore_index=True).drop_duplicates()
    used["person"] = used["subject"].map(_person)
    _check_splits(used, rows, test_releases, findings)
    _check_recordings(used, rows, {_person(name) for name in excluded_subjects}, findings)
    if findings.counts:
        raise UserError(
            f"the window index {index} is not fit for training: {findings.sentence()}; delete it and the "
            f"inventory {inventory} and build both again; should they come out the same, report it as a bug"
        )
    if test_releases:
        _require_scored(labelled, test_releases)
    write_json(output, _report(used, windows, test_releases))


def _require_scored(labelled: Mapping[str, set[tuple[str, str]]], test_releases: Sequence[str]) -> None:
    """Refuse an index with labels, by split and release, of which none is to be scored."""
    for challenge, (kind, label) in CHALLENGES.items():
        if labelled[label] and "test" not in {split for split, _ in labelled[label]}:
            releases = sorted({release or "no release" for _, release in labelled[label]})
            raise UserError(
                f"nothing is there to score challenge {challenge} on: splits.test_releases names "
                f"{', '.join(test_releases)}, and windows of kind {kind} with a label are of "
                f"{', '.join(releases)}; correct the list, or say [] to train without a score"
            )


def _places(shards: Sequence[Path], findings: _Findings) -> pd.DataFrame:
    """Where recordings lie: shard, first row and the row behind the last, sampling rate in Hz."""
    parts = []
    for path in shards:
        table = pq.read_table(path, columns=["recording", "offset", "length"])
        place = table.to_pandas().assign(
            shard=path.stem, sfreq=float((table.schema.metadata or {}).get(b"sfreq", b"nan"))
        )
        place["end"] = place["offset"] + place["length"]
        held = len(np.load(path.with_suffix(".npy"), mmap_mode="r"))
        findings.add(
            "recordings beyond their shard's end", place.loc[place["end"] > held, "recording"].tolist()
        )
        parts.append(place[place["length"] > 0])
    return pd.concat(parts, ignore_index=True).drop(columns="length")


def _batches(index: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The index in parts that fit into memory: TUH alone has some ten million windows."""
    with pq.ParquetFile(index) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(columns)):
            yield batch.to_pandas()


def _check_places(batch: pd.DataFrame, places: pd.DataFrame, findings: _Findings) -> None:
    placed = batch.merge(places, on=["recording", "shard"], how="left", validate="many_to_one")
    unknown = placed["offset"].isna()
    findings.add(
        "windows of recordings that their shard doesn't hold", placed.loc[unknown, "recording"].tolist()
    )
    placed = placed[~unknown]
    outside = (
        (placed["length"] <= 0)
        | (placed["start"] < placed["offset"])
        | (placed["start"] + placed["length"] > placed["end"])
    )
    findings.add("windows outside their recording", placed.loc[outside, "recording"].tolist())
    moment = (placed["start"] - placed["offset"]) / placed["sfreq"]
    moved = (moment - placed["onset"]).abs() > 0.5 / placed["sfreq"]
    findings.add(
        "windows whose onset is another moment than their start", placed.loc[moved, "recording"].tolist()
    )


def _check_splits(
    used: pd.DataFrame, rows: pd.DataFrame, test_releases: Sequence[str], findings: _Findings
) -> None:
    findings.add("windows of an unknown split", used.loc[~used["split"].isin(SPLITS), "recording"].tolist())
    in_table = rows["release"].isin(test_releases)
    in_folder = [
        reader == "hbn" and _release_of_path(path, subject) in test_releases
        for reader, path, subject in zip(rows["reader"], rows["path"], rows["subject"], strict=True)
    ]
    # Both: should a table give a test release another name, the folder still says what it is.
    tested = set(rows.loc[in_table | np.array(in_folder, dtype=bool), "subject"].map(_person))
    other = used["split"] != "test"
    leaked = used[other & (used["person"].isin(tested) | used["release"].isin(test_releases))]
    findings.add("subjects of a test release in training or validation", leaked["subject"].tolist())
    stray = used[~other & ~used["person"].isin(tested)]
    findings.add("test subjects without a recording in a test release", stray["subject"].tolist())
    splits = used.groupby("person")["split"].nunique()
    findings.add("subjects in two splits", splits[splits > 1].index.tolist())


def _check_recordings(
    used: pd.DataFrame, rows: pd.DataFrame, excluded: set[str], findings: _Findings
) -> None:
    findings.add("excluded subjects", used.loc[used["person"].isin(excluded), "subject"].tolist())
    known = rows.drop_duplicates("recording").set_index("recording")
    findings.add(
        "recordings twice in the inventory", rows.loc[rows["recording"].duplicated(), "recording"].tolist()
    )
    there = used["recording"].isin(known.index)
    findings.add("recordings that the inventory doesn't know", used.loc[~there, "recording"].tolist())
    used = used[there]
    own = known.loc[used["recording"]]
    unusable = (own["status"] != "ok").to_numpy()
    findings.add("recordings that are not ok in the inventory", used.loc[unusable, "recording"].tolist())
    for column in ("dataset", "release", "subject"):
        differs = own[column].to_numpy() != used[column].to_numpy()
        findings.add(
            f"recordings with another {column} in the inventory", used.loc[differs, "recording"].tolist()
        )


def _release_of_path(path: str, subject: str) -> str:
    """The release that an HBN recording's folder tells: the one that holds the subject's folder."""
    folders = PurePath(path).parent.parts
    return release_of_folder(folders[folders.index(subject) - 1]) if subject in folders else ""


def _person(subject: str) -> str:
    return re.sub(r"^sub-", "", subject.strip())


def _report(used: pd.DataFrame, windows: int, test_releases: Sequence[str]) -> Mapping[str, Any]:
    people = {split: sorted(set(used.loc[used["split"] == split, "person"])) for split in SPLITS}
    of_dataset = {str(name): set(part["person"]) for name, part in used.groupby("dataset")}
    shared = {
        f"{one}+{other}": len(of_dataset[one] & of_dataset[other])
        for one, other in combinations(sorted(of_dataset), 2)
    }
    return {
        "windows": windows,
        "recordings": int(used["recording"].nunique()),
        "test_releases": list(test_releases),
        "subjects": {split: len(names) for split, names in people.items()},
        "subjects_digest": {
            split: hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
            for split, names in people.items()
        },
        "subjects_in_two_datasets": {pair: size for pair, size in shared.items() if size},
    }
