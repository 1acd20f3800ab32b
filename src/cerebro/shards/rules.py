"""The rules of `splits`, held against a finished window index, without the code that assigned the splits."""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import pandas as pd

from cerebro.config import People, Splits
from cerebro.recordings.hbn import release_of_folder

SPLITS = ("train", "validation", "test")
_EXAMPLES = 3


@dataclass
class Findings:
    """What must hold and doesn't, with a few examples of each."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, rule: str, broken: Sequence[str]) -> None:
        """Note what breaks a rule; nothing, where nothing does."""
        if len(broken):
            self.counts[rule] = self.counts.get(rule, 0) + len(broken)
            known = self.examples[rule]
            known += [name for name in dict.fromkeys(broken) if name not in known][: _EXAMPLES - len(known)]

    def sentence(self) -> str:
        """All that was found, in one sentence."""
        return "; ".join(
            f"{rule}: {count} (as {', '.join(self.examples[rule])})" for rule, count in self.counts.items()
        )


def check_rules(used: pd.DataFrame, rows: pd.DataFrame, splits: Splits, findings: Findings) -> None:
    """Hold who stands in which split against the section ``splits``.

    Parameters
    ----------
    used
        What has windows: columns ``dataset``, ``release``, ``subject``, ``person`` (the subject without
        ``sub-``), ``recording`` and ``split``.
    rows
        The inventory.
    splits
        Its rules: whom ``test`` selects is nowhere else, whom ``validation`` selects does not train, whom
        neither selects trains, nobody and no family stands in two splits.
    findings
        Where to write what doesn't hold.
    """
    findings.add("windows of an unknown split", used.loc[~used["split"].isin(SPLITS), "recording"].tolist())
    count = used.groupby("person")["split"].nunique()
    findings.add("subjects in two splits", count[count > 1].index.tolist())
    rows = rows.assign(person=rows["subject"].map(bare_name), written=rows["person"].map(_written))
    families = _families(rows, splits.together)
    tested = _selected(splits.test, rows, families)
    _hold(used, "test", splits.test, tested, ["train", "validation"], findings)
    selecting = _selected(splits.validation, rows, families)
    if selecting is not None:
        others = set(used.loc[used["split"] == "test", "person"])
        selecting -= others
    _hold(used, "validation", splits.validation, selecting, ["train"], findings)
    family = used["person"].map(families).dropna()
    apart = used.loc[family.index].groupby(family)["split"].nunique()
    findings.add("families in two splits", [str(name) for name in apart[apart > 1].index])


def _hold(
    used: pd.DataFrame,
    split: str,
    people: People | None,
    selected: set[str] | None,
    closed: Sequence[str],
    findings: Findings,
) -> None:
    """Whom a rule selects stands in none of the closed splits, and whom it does not select not in its own."""
    own = used["split"] == split
    if people is None:
        findings.add(f"{split} windows of a study without", used.loc[own, "subject"].tolist())
        return
    if selected is None:
        return
    is_selected = used["person"].isin(selected)
    if people.releases and split == "test":
        is_selected |= used["release"].isin(people.releases)
    leaked = used.loc[used["split"].isin(closed) & is_selected, "subject"].tolist()
    findings.add(f"subjects whom splits.{split} selects in {' or '.join(closed)}", leaked)
    findings.add(
        f"{split} subjects whom splits.{split} does not select",
        used.loc[own & ~is_selected, "subject"].tolist(),
    )


def _selected(people: People | None, rows: pd.DataFrame, families: dict[str, str]) -> set[str] | None:
    """Whom a rule selects, by any recording of the inventory, families whole; None where it is a share."""
    if people is None or people.share is not None:
        return None
    if people.subjects:
        chosen = rows["person"].isin(_listed(people.subjects))
    elif people.releases:
        by_folder = [
            reader == "hbn" and _release_of_path(path, subject) in people.releases
            for reader, path, subject in zip(rows["reader"], rows["path"], rows["subject"], strict=True)
        ]
        # Both: should a table give a release another name, the folder still says what it is.
        chosen = rows["release"].isin(people.releases) | pd.Series(by_folder, rows.index, dtype=bool)
    elif people.folders:
        chosen = rows["path"].map(lambda path: bool(set(PurePath(path).parts[:-1]) & set(people.folders)))
    else:
        chosen = rows["written"].map(lambda written: written.get(people.column) in people.values)
    names = set(rows.loc[chosen.astype(bool), "person"])
    related = {families[name] for name in names if name in families}
    return names | {name for name, family in families.items() if family in related}


def _families(rows: pd.DataFrame, column: str | None) -> dict[str, str]:
    """The family of each person: the first value of a chain of people who share values."""
    if column is None:
        return {}
    family: dict[str, str] = {}
    known = rows[rows["written"].map(lambda written: column in written)]
    values = [
        (name, written[column]) for name, written in zip(known["person"], known["written"], strict=True)
    ]
    root = {value: value for _, value in values}

    def top(value: str) -> str:
        while root[value] != value:
            value = root[value]
        return value

    for person, value in values:
        if person in family:
            ends = sorted((top(family[person]), top(value)))
            root[ends[1]] = ends[0]
        family.setdefault(person, value)
    return {person: top(value) for person, value in family.items()}


def _listed(entries: Sequence[str]) -> set[str]:
    """Names, and those in files of names."""
    names: list[str] = []
    for entry in entries:
        if "/" not in entry and "." not in entry:
            names.append(entry)
            continue
        names += [line.split("#")[0] for line in Path(entry).read_text("utf-8").splitlines()]
    return {bare_name(name) for name in names if name.strip()}


def _written(person: str) -> dict[str, str]:
    return dict(json.loads(person)) if person else {}


def _release_of_path(path: str, subject: str) -> str:
    """The release that an HBN recording's folder tells: the one that holds the subject's folder."""
    folders = PurePath(path).parent.parts
    return release_of_folder(folders[folders.index(subject) - 1]) if subject in folders else ""


def bare_name(subject: str) -> str:
    """A subject's name without BIDS's ``sub-``."""
    return re.sub(r"^sub-", "", subject.strip())
