"""The audit passes what the pipeline made, and refuses every way in which a test subject could leak."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cerebro.config import Splits
from cerebro.errors import UserError
from cerebro.shards.audit import audit
from cerebro.shards.store import ShardWriter

Edit = Callable[[pd.DataFrame], pd.DataFrame | None]


R5 = {"releases": ["R5"]}


def run(study: Path, *, scored: bool = True, **splits: Any) -> dict:
    output = study / "audit.json"
    audit(
        Splits.model_validate({"test": R5, **splits}),
        scored=scored,
        index=study / "index.parquet",
        inventory=study / "inventory.parquet",
        shards=sorted((study / "shards").glob("*.parquet")),
        output=output,
    )
    return json.loads(output.read_text())


@pytest.fixture
def copy(study: Path, tmp_path: Path) -> Path:
    """A study for a test to break."""
    shutil.copytree(study, tmp_path / "study")
    return tmp_path / "study"


def edit(path: Path, change: Edit) -> None:
    table = pd.read_parquet(path)
    changed = change(table)
    (table if changed is None else changed).to_parquet(path)


def in_split(table: pd.DataFrame, split: str) -> pd.Series:
    return table["split"] == split


def refused(study: Path, words: str, **options: Any) -> str:
    (study / "audit.json").unlink(missing_ok=True)
    with pytest.raises(UserError, match=words) as caught:
        run(study, **options)
    assert not (study / "audit.json").exists()
    return str(caught.value)


def test_what_the_pipeline_makes_passes_and_is_written_down(study: Path, copy: Path) -> None:
    report = run(copy)
    index = pd.read_parquet(copy / "index.parquet")
    assert report["windows"] == len(index)
    assert report["recordings"] == index["recording"].nunique()
    for split, count in report["subjects"].items():
        assert count == index.loc[in_split(index, split), "subject"].nunique()
    assert report["subjects"]["test"] == 1
    assert report["subjects_in_two_datasets"] == {}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_test_subject_in_another_split_is_refused_and_named(copy: Path, split: str) -> None:
    def leak(table: pd.DataFrame) -> None:
        table.loc[table["subject"] == "sub-EA", "split"] = split

    edit(copy / "index.parquet", leak)
    message = refused(copy, "subjects whom splits.test selects in train or validation")
    assert "sub-EA" in message
    assert "\n" not in message


def test_one_window_is_enough(copy: Path) -> None:
    def leak(table: pd.DataFrame) -> None:
        table.loc[table.index[table["subject"] == "sub-EA"][-1], "split"] = "train"

    edit(copy / "index.parquet", leak)
    assert "subjects in two splits: 1 (as EA)" in refused(copy, "subjects whom splits.test selects")


def test_a_release_that_becomes_a_test_release_later_is_refused(copy: Path) -> None:
    refused(copy, "subjects whom splits.test selects in train", test={"releases": ["R5", "R2"]})


def test_a_subject_whose_other_release_is_tested_is_refused(copy: Path) -> None:
    """Also where the recording in the test release is broken and has no window at all."""

    def another_release(table: pd.DataFrame) -> pd.DataFrame:
        row = table[table["subject"] == "sub-AA"].iloc[[0]]
        broken = row.assign(recording="hbn/R5/sub-AA/RestingState", release="R5", status="quarantined")
        return pd.concat([table, broken], ignore_index=True)

    edit(copy / "inventory.parquet", another_release)
    assert "sub-AA" in refused(copy, "subjects whom splits.test selects in train or validation")


def test_a_folder_of_a_test_release_is_refused_whatever_the_table_says(copy: Path) -> None:
    def renamed(table: pd.DataFrame) -> None:
        table.loc[table["release"] == "R5", "release"] = "R3"

    edit(copy / "inventory.parquet", renamed)
    edit(copy / "index.parquet", renamed)
    edit(copy / "index.parquet", lambda table: table.assign(split=table["split"].replace("test", "train")))
    refused(copy, "subjects whom splits.test selects in train or validation")


def test_a_subject_in_two_splits_is_refused_across_datasets(copy: Path) -> None:
    def same_patient(table: pd.DataFrame) -> None:
        trained = table.loc[in_split(table, "train") & (table["dataset"] == "hbn"), "subject"].iloc[0]
        held_out = in_split(table, "validation") & (table["dataset"] == "tuh")
        assert held_out.any()
        table.loc[held_out, "subject"] = trained.removeprefix("sub-")

    edit(copy / "index.parquet", same_patient)
    refused(copy, "subjects in two splits")


@pytest.mark.parametrize("spelling", ["sub-AA", "AA"])
def test_an_excluded_subject_is_refused(copy: Path, spelling: str) -> None:
    refused(copy, "excluded subjects", excluded_subjects=[spelling])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": "excluded"}, "recordings that are not ok in the inventory"),
        ({"recording": "hbn/elsewhere"}, "recordings that the inventory doesn't know"),
        ({"subject": "sub-ZZ"}, "recordings with another subject in the inventory"),
    ],
)
def test_windows_of_recordings_that_the_inventory_does_not_offer_are_refused(
    copy: Path, change: dict[str, str], words: str
) -> None:
    def apply(table: pd.DataFrame) -> None:
        table.loc[table.index[table["status"] == "ok"][0], list(change)] = list(change.values())

    edit(copy / "inventory.parquet", apply)
    refused(copy, words)


@pytest.mark.parametrize("move", ["before", "behind", "empty"])
def test_a_window_that_leaves_its_recording_is_refused(copy: Path, move: str) -> None:
    def leave(table: pd.DataFrame) -> None:
        last = table.index[-1]
        if move == "empty":
            table.loc[last, "length"] = 0
        else:
            table.loc[last, "start"] += 10_000_000 if move == "behind" else -10_000_000

    edit(copy / "index.parquet", leave)
    refused(copy, "windows outside their recording: 1")


def test_a_window_in_its_neighbour_recording_is_refused(copy: Path) -> None:
    """The shard holds it, but it is another subject's EEG under this subject's labels."""
    table = pd.read_parquet(copy / "index.parquet")
    first = table[table["shard"] == table["shard"].iloc[0]]
    other = first[first["recording"] != first["recording"].iloc[0]].iloc[0]
    table.loc[first.index[0], "start"] = other["start"]
    table.to_parquet(copy / "index.parquet")
    refused(copy, "windows outside their recording: 1")


def test_an_onset_that_is_not_the_start_is_refused(copy: Path) -> None:
    edit(copy / "index.parquet", lambda table: table.assign(onset=table["onset"] + 0.02))
    refused(copy, "windows whose onset is another moment than their start")


def test_a_shard_that_is_shorter_than_its_table_says_is_refused(copy: Path) -> None:
    path = copy / "shards" / f"{pd.read_parquet(copy / 'index.parquet')['shard'].iloc[0]}.npy"
    signals = np.load(path)
    with ShardWriter(path, n_chans=signals.shape[1]) as writer:
        writer.append(signals[:-1])
    refused(copy, "recordings beyond their shard's end: 1")


def test_a_window_of_another_shard_is_refused(copy: Path) -> None:
    shards = sorted(path.stem for path in (copy / "shards").glob("*.parquet"))
    edit(
        copy / "index.parquet",
        lambda table: table.assign(
            shard=table["shard"].map(dict(zip(shards, shards[1:] + shards[:1], strict=True)))
        ),
    )
    refused(copy, "windows of recordings that their shard doesn't hold")


def test_an_unknown_split_and_an_empty_index_are_refused(copy: Path) -> None:
    edit(
        copy / "index.parquet", lambda table: table.assign(split=table["split"].replace("train", "training"))
    )
    refused(copy, "windows of an unknown split")
    edit(copy / "index.parquet", lambda table: table.iloc[:0])
    refused(copy, "holds no window")


def test_a_study_with_nothing_to_score_is_refused_before_it_trains(copy: Path) -> None:
    def trained(table: pd.DataFrame) -> None:
        table.loc[in_split(table, "test"), "split"] = "train"

    edit(copy / "index.parquet", trained)
    message = refused(copy, "nothing is there to score challenge 1 on", test={"releases": ["R7"]})
    assert "are of R1, R2, R5;" in message
    assert run(copy, test=None)["subjects"]["test"] == 0
    assert run(copy, test={"releases": ["R7"]}, scored=False)["subjects"]["test"] == 0


def test_a_test_release_without_labels_is_refused(copy: Path) -> None:
    def unlabelled(table: pd.DataFrame) -> None:
        table.loc[in_split(table, "test"), "externalizing"] = np.nan

    edit(copy / "index.parquet", unlabelled)
    message = refused(copy, "nothing is there to score challenge 2 on")
    assert "are of R1, R2;" in message


def test_a_study_that_no_challenge_concerns_needs_no_test_release(copy: Path) -> None:
    def resting(table: pd.DataFrame) -> pd.DataFrame:
        return table[~in_split(table, "test") & table["kind"].isin(["fixed", "eyes"])]

    edit(copy / "index.parquet", resting)
    assert run(copy)["subjects"]["test"] == 0


def test_subjects_of_two_datasets_are_counted(copy: Path) -> None:
    def same_person(table: pd.DataFrame) -> None:
        table["subject"] = table["subject"].replace({"aaaaaaaa": "AA"})
        if "split" in table:
            table.loc[table["subject"].isin(["AA", "sub-AA"]), "split"] = "train"

    for name in ("index", "inventory"):
        edit(copy / f"{name}.parquet", same_person)
    assert run(copy)["subjects_in_two_datasets"] == {"hbn+tuh": 1}


def describe(study: Path, **written: Mapping[str, str]) -> None:
    """Write into the inventory's rows of subjects what a table of participants says of them."""

    def say(table: pd.DataFrame) -> None:
        known = table["subject"].isin(written)
        table.loc[known, "person"] = table.loc[known, "subject"].map(lambda name: json.dumps(written[name]))

    edit(study / "inventory.parquet", say)


def move(study: Path, **splits: str) -> None:
    """Write another split into the index, by subject."""

    def apply(table: pd.DataFrame) -> None:
        table["split"] = [
            splits.get(name, split) for name, split in zip(table["subject"], table["split"], strict=True)
        ]

    edit(study / "index.parquet", apply)


ALL_TRAIN = {"sub-AA": "train", "sub-AB": "train", "sub-BA": "train", "sub-BB": "train"}
RULES = [
    {"subjects": ["sub-EA", "BA"]},
    {"column": "site", "values": ["Ulm"]},
    {"folders": ["R5_L100_bdf", "sub-BA"]},
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: next(iter(rule)))
def test_whom_any_rule_selects_is_nowhere_else_and_nobody_else_is_tested(
    copy: Path, rule: Mapping[str, Any]
) -> None:
    describe(copy, **{"sub-EA": {"site": "Ulm"}, "sub-BA": {"site": "Ulm"}, "sub-AA": {"site": "Bonn"}})
    move(copy, **ALL_TRAIN | {"sub-BA": "test"})
    assert run(copy, scored=False, test=rule)["subjects"]["test"] == 2
    move(copy, **{"sub-BA": "train"})
    assert "sub-BA" in refused(copy, "subjects whom splits.test selects in train", scored=False, test=rule)
    move(copy, **{"sub-BA": "test", "sub-AA": "test"})
    words = "test subjects whom splits.test does not select: 3 .as sub-AA"
    refused(copy, words, scored=False, test=rule)


def test_a_list_in_a_file_is_held_as_well(copy: Path) -> None:
    (copy / "tested.txt").write_text("sub-EA\nBA # again\n")
    move(copy, **ALL_TRAIN)
    words = "subjects whom splits.test selects in train"
    assert "sub-BA" in refused(copy, words, scored=False, test={"subjects": [f"{copy}/tested.txt"]})


def test_whom_validation_selects_does_not_train(copy: Path) -> None:
    move(copy, **ALL_TRAIN | {"sub-BA": "validation"}, aaaaaaaa="train", aaaaaaab="train")
    assert run(copy, validation={"subjects": ["BA"]})["subjects"]["validation"] == 1
    refused(copy, "subjects whom splits.validation selects in train", validation={"subjects": ["AB"]})


def test_a_study_that_tests_nobody_has_no_windows_of_test(copy: Path) -> None:
    refused(copy, "test windows of a study without", test=None, scored=False)


def test_families_in_two_splits_are_refused_by_chains_too(copy: Path) -> None:
    describe(copy, **{"sub-AA": {"family": "f1"}, "sub-AB": {"family": "f1"}, "sub-BA": {"family": "f2"}})
    move(copy, **ALL_TRAIN | {"sub-BA": "validation"})
    run(copy, together="family")
    move(copy, **ALL_TRAIN | {"sub-AB": "validation"})
    assert "as f1" in refused(copy, "families in two splits: 1", together="family")


def test_a_relative_of_a_tested_person_is_tested(copy: Path) -> None:
    describe(copy, **{"sub-EA": {"family": "f1"}, "sub-BA": {"family": "f1"}})
    move(copy, **ALL_TRAIN)
    words = "subjects whom splits.test selects in train"
    assert "sub-BA" in refused(copy, words, together="family", scored=False)


def hide(study: Path, original: str, name: str) -> None:
    """Copy a subject's recordings of a shard over those of another one in the same shard."""
    index = pd.read_parquet(study / "index.parquet")
    for path in sorted((study / "shards").glob("*.parquet")):
        table = pq.read_table(path)
        rows = table.to_pandas()
        if not {original, name} <= set(rows["subject"]):
            continue
        signals = np.load(path.with_suffix(".npy"))
        for task, part in rows[rows["subject"] == name].groupby("task"):
            (source,) = rows[(rows["subject"] == original) & (rows["task"] == task)].to_dict("records")
            (target,) = part.to_dict("records")
            assert source["length"] == target["length"]
            taken = slice(source["offset"], source["offset"] + source["length"])
            signals[target["offset"] : target["offset"] + target["length"]] = signals[taken]
            rows.at[part.index[0], "fingerprint"] = source["fingerprint"]
        with ShardWriter(path.with_suffix(".npy"), n_chans=signals.shape[1]) as writer:
            writer.append(signals)
        changed = pa.Table.from_pandas(rows, schema=table.schema, preserve_index=False)
        pq.write_table(changed, path)
        return
    raise AssertionError(f"{original} and {name} share no shard of {index['shard'].unique()}")


def neighbours(study: Path) -> tuple[str, str]:
    """Two subjects of one release whose recordings lie in one shard."""
    index = pd.read_parquet(study / "index.parquet")
    for _, part in index[index["dataset"] == "hbn"].groupby(["shard", "release"]):
        if part["subject"].nunique() > 1:
            first, second = sorted(part["subject"].unique())[:2]
            return first, second
    raise AssertionError("no shard holds two subjects of one release")


def test_the_same_signals_under_two_names_are_refused_in_two_splits_and_counted_in_one(copy: Path) -> None:
    first, second = neighbours(copy)
    move(copy, **ALL_TRAIN)
    assert run(copy)["repeated_signals"] == {"pairs_of_people": 0, "recordings": []}
    hide(copy, first, second)
    found = run(copy)["repeated_signals"]
    assert found["pairs_of_people"] == 1
    assert len(found["recordings"]) == 3
    move(copy, **{second: "validation"})
    message = refused(copy, "the same signals stand under two names in two splits")
    assert first in message
    assert second in message
    assert "splits.together" in message
