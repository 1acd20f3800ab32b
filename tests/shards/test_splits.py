import random
from collections.abc import Mapping

import pandas as pd
import pytest

from cerebro.config import Splits
from cerebro.shards.splits import assign_splits


def recordings(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["dataset", "release", "subject"])


def hbn(release: str, count: int, prefix: str = "") -> list[tuple[str, str, str]]:
    return [("hbn", release, f"sub-{prefix}{release}{index}") for index in range(count)]


def split(table: pd.DataFrame, settings: Splits | None = None) -> Mapping[str, str]:
    return assign_splits(table, settings or Splits(), found=table)


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
    assert assign_splits(usable, Splits(), found=found)["sub-A"] == "test"


def test_a_subject_of_a_test_release_is_test_under_another_spelling_too() -> None:
    table = recordings(("hbn", "R5", "sub-A"), ("mine", "", "A"), *hbn("R1", 10))
    assert split(table)["A"] == "test"


@pytest.mark.parametrize(("count", "held_out"), [(1, 0), (2, 1), (3, 1), (12, 2), (16, 3), (100, 20)])
def test_each_dataset_holds_out_its_share_at_least_one_and_never_all(count: int, held_out: int) -> None:
    tuh = [("tuh", "", f"{index:08d}") for index in range(count)]
    splits = split(recordings(*tuh, *hbn("R1", 10)), Splits(validation_share=0.2))
    assert sum(splits[subject] == "validation" for _, _, subject in tuh) == held_out


def test_splits_do_not_depend_on_the_order_or_number_of_recordings() -> None:
    rows = hbn("R1", 30)
    shuffled = rows * 3
    random.Random(0).shuffle(shuffled)
    assert split(recordings(*rows)) == split(recordings(*shuffled))


def test_an_added_subject_moves_at_most_one_other_across_the_margin() -> None:
    rows = hbn("R1", 50)
    for step in range(30):
        before = split(recordings(*rows))
        rows = [*rows, ("hbn", "R2", f"sub-new{step}")]
        after = split(recordings(*rows))
        assert sum(before[subject] != after[subject] for subject in before) <= 1


def test_subjects_of_a_test_release_do_not_change_who_is_held_out() -> None:
    before = split(recordings(*hbn("R1", 30)))
    after = split(recordings(*hbn("R1", 30), *hbn("R5", 30)))
    assert before.items() <= after.items()


def test_a_patient_of_two_datasets_is_in_one_split() -> None:
    tueg = [("tueg", "", f"p{index}") for index in range(40)]
    tuab = [("tuab", "", f"p{index}") for index in range(0, 40, 4)]
    splits = split(recordings(*tueg, *tuab))
    alone = split(recordings(*tuab))
    assert all(splits[subject] == "validation" for subject, name in alone.items() if name == "validation")
