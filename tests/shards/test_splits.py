import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cerebro.config import Splits
from cerebro.errors import UserError
from cerebro.shards.splits import assign_splits

R5 = {"test": {"releases": ["R5"]}}


def recordings(*rows: tuple[str, str, str], **person: Mapping[str, str]) -> pd.DataFrame:
    """Recordings by dataset, release and subject; what the tables say of a person by the subject's name."""
    table = pd.DataFrame(rows, columns=["dataset", "release", "subject"])
    return table.assign(
        path=[f"/data/{dataset}/{release}/{subject}/eeg/a.bdf" for dataset, release, subject in rows],
        person=[json.dumps(person.get(subject, {})) for _, _, subject in rows],
    )


def hbn(release: str, count: int, prefix: str = "") -> list[tuple[str, str, str]]:
    return [("hbn", release, f"sub-{prefix}{release}{index}") for index in range(count)]


def people(count: int, dataset: str = "mine") -> list[tuple[str, str, str]]:
    return [(dataset, "", f"p{index}") for index in range(count)]


def split(table: pd.DataFrame, settings: Mapping[str, Any] = R5) -> Mapping[str, str]:
    return assign_splits(table, Splits.model_validate(settings), found=table)


def members(splits: Mapping[str, str], name: str) -> set[str]:
    return {subject for subject, found in splits.items() if found == name}


def test_the_test_release_never_trains_and_never_selects() -> None:
    table = recordings(*hbn("R1", 40), *hbn("R5", 10))
    splits = split(table)
    for subject, release in zip(table["subject"], table["release"], strict=True):
        assert (splits[subject] == "test") == (release == "R5")


def test_a_subject_with_one_recording_in_a_test_release_is_test_throughout() -> None:
    table = recordings(("hbn", "R1", "sub-A"), ("hbn", "R5", "sub-A"), *hbn("R1", 10))
    assert split(table)["sub-A"] == "test"


def test_a_subject_whose_recording_of_a_test_release_is_broken_or_not_downloaded_is_test() -> None:
    usable = recordings(("hbn", "R1", "sub-A"), *hbn("R1", 10))
    found = pd.concat([usable, recordings(("hbn", "R5", "sub-A"))])
    assert assign_splits(usable, Splits.model_validate(R5), found=found)["sub-A"] == "test"


def test_a_subject_of_a_test_release_is_test_under_another_spelling_too() -> None:
    table = recordings(("hbn", "R5", "sub-A"), ("mine", "", "A"), *hbn("R1", 10))
    assert split(table)["A"] == "test"


@pytest.mark.parametrize(("count", "held_out"), [(1, 0), (2, 1), (3, 1), (12, 2), (16, 3), (100, 20)])
def test_each_dataset_holds_out_its_share_at_least_one_and_never_all(count: int, held_out: int) -> None:
    tuh = [("tuh", "", f"{index:08d}") for index in range(count)]
    splits = split(recordings(*tuh, *hbn("R1", 10)), {"test": None, "validation": {"share": 0.2}})
    assert sum(splits[subject] == "validation" for _, _, subject in tuh) == held_out


@pytest.mark.parametrize("count", range(1, 12))
def test_shares_for_test_and_for_validation_leave_somebody_to_train(count: int) -> None:
    shares = {"test": {"share": 0.9}, "validation": {"share": 0.9}}
    assert members(split(recordings(*people(count)), shares), "train")


def test_splits_do_not_depend_on_the_order_or_number_of_recordings() -> None:
    rows = [*hbn("R1", 30), *hbn("R5", 2)]
    shuffled = rows * 3
    random.Random(0).shuffle(shuffled)
    assert split(recordings(*rows)) == split(recordings(*shuffled))


def test_an_added_subject_moves_at_most_one_other_across_the_margin() -> None:
    rows = hbn("R1", 50)
    for step in range(30):
        before = split(recordings(*rows), {"test": None})
        rows = [*rows, ("hbn", "R2", f"sub-new{step}")]
        after = split(recordings(*rows), {"test": None})
        assert sum(before[subject] != after[subject] for subject in before) <= 1


def test_subjects_of_a_test_release_do_not_change_who_is_held_out() -> None:
    before = split(recordings(*hbn("R1", 30)), {"test": None})
    after = split(recordings(*hbn("R1", 30), *hbn("R5", 30)))
    assert before.items() <= after.items()


def test_a_patient_of_two_datasets_is_in_one_split() -> None:
    tueg = [("tueg", "", f"p{index}") for index in range(40)]
    tuab = [("tuab", "", f"p{index}") for index in range(0, 40, 4)]
    splits = split(recordings(*tueg, *tuab), {"test": None})
    alone = split(recordings(*tuab), {"test": None})
    assert all(splits[subject] == "validation" for subject in members(alone, "validation"))


def test_another_seed_gives_another_order_and_the_same_seed_the_same() -> None:
    table = recordings(*people(40))
    drawn = [split(table, {"test": {"share": 0.25, "seed": seed}}) for seed in (0, 1, 2, 1)]
    tested = [members(one, "test") for one in drawn]
    assert [len(names) for names in tested] == [10] * 4
    assert tested[1] == tested[3]
    assert len({frozenset(names) for names in tested}) == 3


def test_nobody_is_tested_where_test_is_null() -> None:
    assert not members(split(recordings(*people(10)), {"test": None}), "test")


@pytest.mark.parametrize("spelling", ["p3", "sub-p3"])
def test_people_can_be_named_or_listed_in_a_file(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "list.txt").write_text("# who came last\nsub-p4  # p9\n")
    table = recordings(*people(10))
    splits = split(table, {"test": {"subjects": [spelling, f"{tmp_path}/list.txt"]}})
    assert members(splits, "test") == {"p3", "p4"}


def test_a_folder_of_an_archive_says_who_is_tested() -> None:
    table = recordings(*people(10))
    table.loc[[2, 7], "path"] = ["/tuab/edf/eval/normal/p2.edf", "/tuab/edf/eval/abnormal/p7.edf"]
    assert members(split(table, {"test": {"folders": ["eval"]}}), "test") == {"p2", "p7"}


def test_a_column_of_the_participants_says_who_is_tested_and_who_selects() -> None:
    sites = {f"p{number}": {"site": "ABC"[number % 3]} for number in range(9)}
    splits = split(
        recordings(*people(9), **sites),
        {"test": {"column": "site", "values": ["B"]}, "validation": {"column": "site", "values": ["C"]}},
    )
    assert members(splits, "test") == {"p1", "p4", "p7"}
    assert members(splits, "validation") == {"p2", "p5", "p8"}


@pytest.mark.parametrize("rule", [{"share": 0.3}, {"subjects": ["p0"]}])
def test_families_stand_on_one_side(rule: Mapping[str, Any]) -> None:
    families = {f"p{number}": {"family": f"f{number // 3}"} for number in range(30)}
    splits = split(
        recordings(*people(30), **families),
        {"test": rule, "validation": rule | {}, "together": "family"}
        if "share" in rule
        else {"test": rule, "together": "family"},
    )
    for number in range(0, 30, 3):
        assert len({splits[f"p{one}"] for one in range(number, number + 3)}) == 1
    assert len(members(splits, "test")) >= 3
    assert members(splits, "train")


def test_families_are_joined_by_a_person_who_belongs_to_two() -> None:
    rows = [*people(12), ("other", "", "sub-p0")]
    table = recordings(*rows)
    values = {0: "f1", 1: "f1", 2: "f2", 12: "f2"}
    table["person"] = [json.dumps({"family": values[n]} if n in values else {}) for n in range(len(rows))]
    splits = split(table, {"test": {"subjects": ["p1"]}, "together": "family"})
    assert members(splits, "test") == {"p0", "p1", "p2", "sub-p0"}


def test_whoever_is_tested_in_one_dataset_is_tested_in_all() -> None:
    rows = [*people(20), *(("second", "", f"sub-p{number}") for number in range(0, 20, 2))]
    splits = split(recordings(*rows), {"test": {"share": 0.3, "seed": 4}})
    for number in range(0, 20, 2):
        assert splits[f"p{number}"] == splits[f"sub-p{number}"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"test": {"releases": ["R7"]}},
            r"splits.test.releases: nobody .* by R7; there are R1, R2; test: null",
        ),
        ({"test": {"subjects": ["nobody"]}}, "splits.test.subjects: .* by nobody; there are A1"),
        ({"test": {"folders": ["eval"]}}, "splits.test.folders: .* by eval; there are R1, R2"),
        (
            {"test": None, "validation": {"column": "site", "values": ["Mars"]}},
            "splits.validation.values: .* by site Mars; there are Rome, Ulm$",
        ),
        (
            {"test": {"column": "sight", "values": ["Rome"]}},
            "splits.test.column: .* column 'sight'; there are the columns site",
        ),
        ({"test": None, "together": "twin"}, "splits.together: .* column 'twin'; there are the columns site"),
        (
            {"test": {"releases": ["R1"]}, "validation": {"subjects": ["A1"]}},
            "splits.validation.subjects: .* all of them are in test already",
        ),
        (
            {"test": {"releases": ["R1"]}, "validation": {"releases": ["R2"]}},
            "nobody to train: of 4 people test takes 2 and validation 2",
        ),
    ],
)
def test_a_rule_that_selects_nobody_or_everybody_gets_a_sentence(
    settings: Mapping[str, Any], words: str
) -> None:
    rows = [
        ("hbn", "R1", "sub-A1"),
        ("hbn", "R1", "sub-A2"),
        ("hbn", "R2", "sub-B1"),
        ("hbn", "R2", "sub-B2"),
    ]
    table = recordings(*rows, **{"sub-A1": {"site": "Rome"}, "sub-B1": {"site": "Ulm"}})
    with pytest.raises(UserError, match=words):
        split(table, settings)
