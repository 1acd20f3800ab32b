"""The audit passes what the pipeline made, and refuses every way in which a test subject could leak."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cerebro.config import Splits
from cerebro.errors import UserError
from cerebro.shards.audit import audit
from cerebro.shards.store import ShardWriter

Edit = Callable[[pd.DataFrame], pd.DataFrame | None]


def run(study: Path, *, excluded: Sequence[str] = (), test_releases: Sequence[str] = ("R5",)) -> dict:
    output = study / "audit.json"
    audit(
        test_releases=test_releases,
        excluded_subjects=excluded,
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


def refused(study: Path, words: str, **options: Sequence[str]) -> str:
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
    message = refused(copy, "subjects of a test release in training or validation")
    assert "sub-EA" in message
    assert "\n" not in message


def test_one_window_is_enough(copy: Path) -> None:
    def leak(table: pd.DataFrame) -> None:
        table.loc[table.index[table["subject"] == "sub-EA"][-1], "split"] = "train"

    edit(copy / "index.parquet", leak)
    assert "subjects in two splits: 1 (as EA)" in refused(copy, "subjects of a test release")


def test_a_release_that_becomes_a_test_release_later_is_refused(copy: Path) -> None:
    refused(copy, "subjects of a test release in training", test_releases=("R5", "R2"))


def test_a_subject_whose_other_release_is_tested_is_refused(copy: Path) -> None:
    """Also where the recording in the test release is broken and has no window at all."""

    def another_release(table: pd.DataFrame) -> pd.DataFrame:
        row = table[table["subject"] == "sub-AA"].iloc[[0]]
        broken = row.assign(recording="hbn/R5/sub-AA/RestingState", release="R5", status="quarantined")
        return pd.concat([table, broken], ignore_index=True)

    edit(copy / "inventory.parquet", another_release)
    assert "sub-AA" in refused(copy, "subjects of a test release in training or validation")


def test_a_folder_of_a_test_release_is_refused_whatever_the_table_says(copy: Path) -> None:
    def renamed(table: pd.DataFrame) -> None:
        table.loc[table["release"] == "R5", "release"] = "R3"

    edit(copy / "inventory.parquet", renamed)
    edit(copy / "index.parquet", renamed)
    edit(copy / "index.parquet", lambda table: table.assign(split=table["split"].replace("test", "train")))
    refused(copy, "subjects of a test release in training or validation")


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
    refused(copy, "excluded subjects", excluded=[spelling])


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


@pytest.mark.parametrize("named", ["R7", "r5"])
def test_a_study_with_nothing_to_score_is_refused_before_it_trains(copy: Path, named: str) -> None:
    def trained(table: pd.DataFrame) -> None:
        table.loc[in_split(table, "test"), "split"] = "train"

    edit(copy / "index.parquet", trained)
    message = refused(copy, "nothing is there to score challenge 1 on", test_releases=[named])
    assert f"splits.test_releases names {named}, " in message
    assert "are of R1, R2, R5;" in message
    assert run(copy, test_releases=[])["subjects"]["test"] == 0


def test_a_test_release_without_labels_is_refused(copy: Path) -> None:
    def unlabelled(table: pd.DataFrame) -> None:
        table.loc[in_split(table, "test"), "externalizing"] = np.nan

    edit(copy / "index.parquet", unlabelled)
    message = refused(copy, "nothing is there to score challenge 2 on: splits.test_releases names R5")
    assert "are of R1, R2;" in message


def test_a_study_that_no_challenge_concerns_needs_no_test_release(copy: Path) -> None:
    def resting(table: pd.DataFrame) -> pd.DataFrame:
        return table[~in_split(table, "test") & table["kind"].isin(["fixed", "eyes"])]

    edit(copy / "index.parquet", resting)
    assert run(copy)["subjects"]["test"] == 0


def test_the_start_kits_nine_subjects_are_excluded_by_default() -> None:
    assert len(set(Splits().excluded_subjects)) == 9
    assert "sub-NDARWV769JM7" in Splits().excluded_subjects


def test_subjects_of_two_datasets_are_counted(copy: Path) -> None:
    def same_person(table: pd.DataFrame) -> None:
        table["subject"] = table["subject"].replace({"aaaaaaaa": "AA"})
        if "split" in table:
            table.loc[table["subject"].isin(["AA", "sub-AA"]), "split"] = "train"

    for name in ("index", "inventory"):
        edit(copy / f"{name}.parquet", same_person)
    assert run(copy)["subjects_in_two_datasets"] == {"hbn+tuh": 1}
