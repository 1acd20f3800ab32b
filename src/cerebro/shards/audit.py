"""The audit: reads the finished window index and refuses it if a test subject could reach a training row.

It shares no code with what made the index (:mod:`cerebro.shards.splits`, :mod:`cerebro.shards.windows`): it
knows the columns of the inventory, of the shards' tables and of the index, and what must hold between them.
No phase reads an index that did not pass.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from cerebro.config import CHALLENGES, Splits
from cerebro.errors import UserError
from cerebro.files import write_json
from cerebro.shards.repeats import repeated
from cerebro.shards.rules import SPLITS, Findings, bare_name, check_rules

_IDENTITY = ["dataset", "release", "subject", "recording", "shard", "split"]
_PLACE = ["recording", "shard", "start", "length", "onset"]
_BATCH = 1_000_000
_EXAMPLES = 3


def audit(
    splits: Splits,
    *,
    scored: bool,
    index: Path,
    inventory: Path,
    shards: Sequence[Path],
    output: Path,
) -> None:
    """Check the window index and write what was checked.

    Parameters
    ----------
    splits
        The section ``splits``, every rule of which must hold.
    scored
        Whether the study answers the challenges, whose windows must then be there to score.
    index, inventory
        The window index and the inventory of all recordings.
    shards
        Tables of the shards; the signals lie beside them under the same name.
    output
        The JSON to write: numbers and digests of the subjects of each split, subjects that stand in several
        datasets, people who have the same signals.

    Raises
    ------
    UserError
        If a person whom ``test`` selects has a window of another split, or one whom ``validation`` selects
        one of training; if a person or people who belong together stand in two splits, or the same signals
        do under two names; if somebody excluded has a window; if a window's recording is not a usable one of
        the inventory, or a window lies outside its recording; or if a challenge has windows, and none to
        score.
    """
    findings = Findings()
    rows = pd.read_parquet(inventory)
    places = _places(shards, findings)
    identities, windows = [], 0
    labelled: dict[str, set[tuple[str, str]]] = defaultdict(set)
    challenges = list(CHALLENGES.values()) if scored else []
    columns = {*_IDENTITY, *_PLACE, "kind", "keep", *(label for _, label in challenges)}
    for batch in _batches(index, sorted(columns)):
        windows += len(batch)
        for kind, label in challenges:
            given = batch[(batch["kind"] == kind) & batch[label].notna() & batch["keep"]]
            labelled[label].update(zip(given["split"], given["release"], strict=True))
        identities.append(batch[_IDENTITY].drop_duplicates())
        _check_places(batch[_PLACE], places, findings)
    if not windows:
        raise UserError(f"{index} holds no window; build it again")
    used = pd.concat(identities, ignore_index=True).drop_duplicates()
    used["person"] = used["subject"].map(bare_name)
    check_rules(used, rows, splits, findings)
    _check_recordings(used, rows, {bare_name(name) for name in splits.excluded_subjects}, findings)
    if findings.counts:
        raise UserError(
            f"the window index {index} is not fit for training: {findings.sentence()}; delete it and the "
            f"inventory {inventory} and build both again; should they come out the same, report it as a bug"
        )
    if scored and splits.test is not None:
        _require_scored(labelled)
    repeats = _repeats(used, places, shards[0].parent)
    write_json(output, {**_report(used, windows, splits), "repeated_signals": repeats})


def _require_scored(labelled: Mapping[str, set[tuple[str, str]]]) -> None:
    """Refuse an index with labels, by split and release, of which none is to be scored."""
    for challenge, (kind, label) in CHALLENGES.items():
        if labelled[label] and "test" not in {split for split, _ in labelled[label]}:
            releases = sorted({release or "no release" for _, release in labelled[label]})
            raise UserError(
                f"nothing is there to score challenge {challenge} on: nobody whom splits.test selects has a "
                f"label, and windows of kind {kind} with one are of {', '.join(releases)}; correct "
                "splits.test, or say test: null to train without a score"
            )


def _repeats(used: pd.DataFrame, places: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Refuse the same signals under two names in two splits; count and name those in one split."""
    recordings = used.merge(places, on=["recording", "shard"], validate="one_to_one")
    pairs = repeated(recordings, folder)
    first, second = (recordings.iloc[pairs[end]].reset_index(drop=True) for end in ("first", "second"))
    sentences = [
        f"{one['subject']} ({one['recording']}, {one['split']}) and {other['subject']} "
        f"({other['recording']}, {other['split']})"
        for one, other in zip(first.to_dict("records"), second.to_dict("records"), strict=True)
    ]
    moved = first["split"] != second["split"]
    apart = [sentence for sentence, differs in zip(sentences, moved, strict=True) if differs]
    more = f" and {len(apart) - _EXAMPLES} more" if len(apart) > _EXAMPLES else ""
    if apart:
        raise UserError(
            f"the same signals stand under two names in two splits: {'; '.join(apart[:_EXAMPLES])}{more}; "
            "leave one of the two out by splits.excluded_subjects, or keep them together by a column of "
            "participants.tsv and splits.together"
        )
    people = {frozenset(pair) for pair in zip(first["person"], second["person"], strict=True)}
    if sentences:
        print(
            f"warning: {len(people)} pairs of people have the same signals, within one split: "
            f"{'; '.join(sentences[:_EXAMPLES])}",
            flush=True,
        )
    return {"pairs_of_people": len(people), "recordings": sentences}


def _places(shards: Sequence[Path], findings: Findings) -> pd.DataFrame:
    """Where recordings lie: shard, first row and the row behind the last, sampling rate in Hz."""
    parts = []
    for path in shards:
        table = pq.read_table(path, columns=["recording", "offset", "length", "fingerprint"])
        place = table.to_pandas().assign(
            shard=path.stem, sfreq=float((table.schema.metadata or {}).get(b"sfreq", b"nan"))
        )
        place["end"] = place["offset"] + place["length"]
        held = len(np.load(path.with_suffix(".npy"), mmap_mode="r"))
        findings.add(
            "recordings beyond their shard's end", place.loc[place["end"] > held, "recording"].tolist()
        )
        parts.append(place[place["length"] > 0])
    return pd.concat(parts, ignore_index=True)


def _batches(index: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """The index in parts that fit into memory: TUH alone has some ten million windows."""
    with pq.ParquetFile(index) as file:
        for batch in file.iter_batches(batch_size=_BATCH, columns=list(columns)):
            yield batch.to_pandas()


def _check_places(batch: pd.DataFrame, places: pd.DataFrame, findings: Findings) -> None:
    ends = places[["recording", "shard", "offset", "sfreq", "end"]]
    placed = batch.merge(ends, on=["recording", "shard"], how="left", validate="many_to_one")
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


def _check_recordings(used: pd.DataFrame, rows: pd.DataFrame, excluded: set[str], findings: Findings) -> None:
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


def _report(used: pd.DataFrame, windows: int, splits: Splits) -> Mapping[str, Any]:
    people = {split: sorted(set(used.loc[used["split"] == split, "person"])) for split in SPLITS}
    of_dataset = {str(name): set(part["person"]) for name, part in used.groupby("dataset")}
    shared = {
        f"{one}+{other}": len(of_dataset[one] & of_dataset[other])
        for one, other in combinations(sorted(of_dataset), 2)
    }
    return {
        "windows": windows,
        "recordings": int(used["recording"].nunique()),
        "splits": splits.model_dump(mode="json", exclude_defaults=True),
        "subjects": {split: len(names) for split, names in people.items()},
        "subjects_digest": {
            split: hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
            for split, names in people.items()
        },
        "subjects_in_two_datasets": {pair: size for pair, size in shared.items() if size},
    }
