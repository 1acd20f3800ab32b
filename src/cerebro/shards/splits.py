"""Who trains, who selects, who is scored: decided by person, never by recording."""

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePath

import pandas as pd

from cerebro.config import People, Splits
from cerebro.errors import UserError
from cerebro.files import digest_text
from cerebro.recordings.exclusions import bare, read_names

_SHOWN = 8


def assign_splits(recordings: pd.DataFrame, settings: Splits, *, found: pd.DataFrame) -> Mapping[str, str]:
    """Assign every subject to ``train``, ``validation`` or ``test``.

    Whom ``splits.test`` selects is ``test`` with all recordings, also if the one that selects is broken or
    was not downloaded. Of the others ``splits.validation`` holds some out. A share takes the first of each
    dataset in the order of a digest of their names: the order doesn't change when people are added, so that
    at most those at the margin change sides. The last of each dataset always stays to train. Who is held out
    in one dataset is held out in all (TUAB is part of TUEG); names are compared without BIDS's ``sub-``.
    People with one value in the column ``splits.together`` go together: one of them in ``test`` takes all.

    Parameters
    ----------
    recordings
        Rows of the inventory that are usable: columns ``dataset``, ``release``, ``subject``, ``path``, and
        ``person`` (JSON) where a column of the participants is asked for.
    settings
        The section ``splits``.
    found
        The same columns of every recording of the inventory.

    Returns
    -------
    Mapping
        The split of each subject of ``recordings``.

    Raises
    ------
    UserError
        If a rule selects nobody, or leaves nobody to train.
    """
    families = _families(found, settings.together)
    usable = {bare(name) for name in recordings["subject"]}
    test = _selected("test", settings.test, recordings, found, families, without=set())
    validation = _selected("validation", settings.validation, recordings, found, families, without=test)
    if usable and not usable - test - validation:
        raise UserError(
            f"splits leave nobody to train: of {len(usable)} people test takes {len(usable & test)} and "
            f"validation {len(usable & validation)}"
        )
    return {
        subject: "test" if bare(subject) in test else "validation" if bare(subject) in validation else "train"
        for subject in recordings["subject"].unique()
    }


def _selected(
    split: str,
    people: People | None,
    recordings: pd.DataFrame,
    found: pd.DataFrame,
    families: Mapping[str, frozenset[str]],
    *,
    without: set[str],
) -> set[str]:
    if people is None:
        return set()
    if people.share is not None:
        return _first(recordings, people.share, people.seed, families, without=without)
    key, named, there, names = _named(split, people, found)
    selected = {member for name in names for member in families.get(name, {name})} - without
    if not selected & {bare(name) for name in recordings["subject"]}:
        why = "all of them are in test already" if names and not names - without else f"there are {there}"
        none = "; test: null scores nobody" if split == "test" else ""
        raise UserError(
            f"splits.{split}.{key}: nobody with a usable recording is selected by {named}; {why}{none}"
        )
    return selected


def _named(split: str, people: People, found: pd.DataFrame) -> tuple[str, str, str, set[str]]:
    """The key of a rule, what it names, what there is of the kind, and whom it selects."""
    if people.subjects:
        names = read_names(people.subjects, f"splits.{split}.subjects")
        there = {bare(name) for name in found["subject"]}
        return "subjects", _some(people.subjects), _some(there), names & there
    if people.releases:
        chosen = found["release"].isin(people.releases)
        there = {release or "recordings of no release" for release in found["release"]}
        return "releases", _some(people.releases), _some(there), set(map(bare, found.loc[chosen, "subject"]))
    if people.folders:
        folders = [PurePath(path).parent.parts for path in found["path"]]
        chosen = pd.Series([not set(people.folders).isdisjoint(above) for above in folders], found.index)
        common = set(folders[0]).intersection(*folders) if folders else set()
        there = {name for above in folders for name in above} - common - set(found["subject"])
        return "folders", _some(people.folders), _some(there), set(map(bare, found.loc[chosen, "subject"]))
    column = _column(found, str(people.column))
    names = {name for name, values in column.items() if not values.isdisjoint(people.values)}
    there = {value for values in column.values() for value in values}
    if not there:
        raise UserError(
            f"splits.{split}.column: no table of participants has a value in the column '{people.column}'; "
            f"there are the columns {_some(_columns(found))}"
        )
    return "values", f"{people.column} {_some(people.values)}", _some(there), names


def _first(
    recordings: pd.DataFrame,
    share: float,
    seed: int,
    families: Mapping[str, frozenset[str]],
    *,
    without: set[str],
) -> set[str]:
    """This share of each dataset's people, at least one, by the order of their digests."""

    def place(name: str) -> str:
        return digest_text(f"{seed} {name}" if seed else name)

    datasets = [
        sorted({bare(name) for name in part["subject"]} - without, key=place)
        for _, part in recordings.groupby("dataset")
    ]
    staying = {member for names in datasets for last in names[-1:] for member in families.get(last, {last})}
    held_out: set[str] = set()
    for names in datasets:
        count, own = max(1, round(share * len(names))), set[str]()
        for name in names:
            if len(own) < count and name not in staying:
                family = families.get(name, frozenset({name})) - without
                held_out |= family
                own |= family.intersection(names)
    return held_out


def _families(found: pd.DataFrame, column: str | None) -> dict[str, frozenset[str]]:
    """Whom to keep together, by person; people who share a value with one of them belong to them as well."""
    if column is None:
        return {}
    written = _column(found, column)
    if not any(written.values()):
        raise UserError(
            f"splits.together: no table of participants has a value in the column '{column}'; there are the "
            f"columns {_some(_columns(found))}"
        )
    members: dict[str, set[str]] = {}
    for name, values in written.items():
        joined = {name}.union(*(members.get(value, set()) for value in values))
        names = {value for value, people in members.items() if not people.isdisjoint(joined)} | values
        members |= dict.fromkeys(names, joined)
    return {name: frozenset(people) for people in members.values() for name in people}


def _column(found: pd.DataFrame, column: str) -> dict[str, set[str]]:
    """What the tables of participants say of each person in a column."""
    values: dict[str, set[str]] = {}
    for subject, person in zip(found["subject"], found["person"], strict=True):
        value = json.loads(person or "{}").get(column)
        values.setdefault(bare(subject), set()).update([] if value is None else [value])
    return values


def _columns(found: pd.DataFrame) -> set[str]:
    return {column for person in found["person"].unique() for column in json.loads(person or "{}")}


def _some(names: Iterable[str]) -> str:
    listed = sorted(set(names))
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return (", ".join(listed[:_SHOWN]) or "none") + more
