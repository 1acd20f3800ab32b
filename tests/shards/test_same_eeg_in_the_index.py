"""The index over real sidecars: their events, and noise in place of the signals that are not at hand."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cerebro.config import AnyLabel, People, Splits, Windows
from cerebro.errors import UserError
from cerebro.shards.store import ShardWriter, write_table
from cerebro.shards.windows import build_index

Index = Callable[..., tuple[pd.DataFrame, dict[str, Any]]]


def duration_of(events: Path) -> float:
    header = events.with_name(events.name.replace("_events.tsv", "_eeg.json"))
    if header.exists():
        return float(json.loads(header.read_text())["RecordingDuration"])
    return float(pd.read_csv(events, sep="\t")["onset"].max()) + 0.5


@pytest.fixture(scope="module")
def recordings(sidecars: Path) -> pd.DataFrame:
    """The inventory of all real sidecars."""
    rows = []
    for path in sorted(sidecars.glob("sub-*/eeg/*_events.tsv")):
        found = re.fullmatch(r"(sub-\w+?)_task-(\w+?)(?:_run-(\d))?_events.tsv", path.name)
        assert found
        name = "/".join(
            part for part in ("hbn", "R1", *found.groups()[:2], found[3] and f"run-{found[3]}") if part
        )
        rows.append(
            {
                "recording": name,
                "dataset": "hbn",
                "release": "R1",
                "session": "",
                "acquisition": "",
                "folder": "",
                "subject": found[1],
                "task": found[2],
                "run": found[3] or "",
                "reader": "hbn",
                "status": "ok",
                "reason": "",
                "path": str(path.with_name(path.name.replace("_events.tsv", "_eeg.set"))),
                "length": round(duration_of(path) * 100),
                "person": json.dumps({"externalizing": "0.5"}),
                "facts": "{}",
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def index_of(tmp_path_factory: pytest.TempPathFactory, labels: Mapping[str, AnyLabel]) -> Index:
    """Index recordings whose signals are noise."""

    def build(
        recordings: pd.DataFrame,
        *,
        broken: tuple[str, ...] = (),
        limit: float = 0.1,
        test: People | None = None,
    ) -> tuple[pd.DataFrame, dict[str, Any]]:
        folder = tmp_path_factory.mktemp("index")
        table = recordings.assign(
            length=recordings["length"].where(~recordings["recording"].isin(broken), 0),
            channels=json.dumps(["Cz", "E11"]),
            reason=np.where(recordings["recording"].isin(broken), "OSError: truncated", ""),
        )
        table["offset"] = table["length"].cumsum() - table["length"]
        noise = np.random.default_rng(0).integers(-200, 200, (200_000, 2)).astype(np.int16)
        with ShardWriter(folder / "hbn-0.npy", n_chans=2) as shard:
            for length in table["length"]:
                shard.append(np.resize(noise, (length, 2)))
        columns = ["recording", "offset", "length", "channels", "reason"]
        write_table(
            folder / "hbn-0.parquet",
            pa.Table.from_pandas(table[columns], preserve_index=False),
            channels=["Cz", "E11"],
            sfreq=100.0,
        )
        recordings.to_parquet(folder / "inventory.parquet")
        build_index(
            Windows(crops=("contrastChangeDetection",)),
            Splits(test=test),
            labels,
            inventory=folder / "inventory.parquet",
            shards=[folder / "hbn-0.parquet"],
            max_failed_share={"hbn": limit},
            output=folder / "index.parquet",
            summary=folder / "summary.json",
        )
        return pd.read_parquet(folder / "index.parquet"), json.loads((folder / "summary.json").read_text())

    return build


@pytest.fixture(scope="module")
def whole(recordings: pd.DataFrame, index_of: Index) -> tuple[pd.DataFrame, dict[str, Any]]:
    return index_of(recordings)


def test_every_real_trial_is_kept_once(whole: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    index, _ = whole
    trials = index[index["kind"] == "reaction_time"]
    answers = index[index["kind"] == "trial"]
    assert list(answers["start"]) == list(trials["start"])
    twice = trials["reason"].str.startswith("same EEG as run")
    # Five answers in a row, to the ms, are a subject's own: no kept trial has a copy of itself.
    kept = trials[trials["keep"]]
    for _, own in kept.groupby("subject"):
        runs = own.groupby("recording")["reaction_time"].apply(lambda times: tuple(times.round(3)))
        seen: set[tuple[float, ...]] = set()
        for times in runs:
            fives = {times[i : i + 5] for i in range(len(times) - 4)}
            assert not fives & seen
            seen |= fives
    keys = ["subject", "rounded", "trial"]
    rounded = trials.assign(rounded=trials["reaction_time"].round(3), trial=answers["trial"].to_numpy())
    lost = set(rounded.loc[twice, keys].itertuples(index=False, name=None)) - set(
        rounded.loc[trials["keep"], keys].itertuples(index=False, name=None)
    )
    # The last trial of an attempt at block 3 that was broken off: its window ends in the stretch that run 3
    # keeps, which begins 8.4 s after the trial.
    assert lost == {("sub-NDARZC499NVX", 1.67, "right/right")}
    assert (len(trials), int(twice.sum())) == (7316, 1184)


def test_the_summary_counts_what_lies_twice(whole: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    index, summary = whole
    assert {
        name: summary["left_out"][name] for name in summary["left_out"] if "EEG" in name or "block" in name
    } == {
        "contrast change recordings that hold another run's block": 60,
        "recordings that hold the same EEG as another run": 58,
        "recordings that hold the same EEG as another task": 23,
    }
    reasons = set(index["reason"])
    assert {"same EEG as run 2", "same EEG as run 3", "same EEG as ThePresent"} <= reasons
    counted = sum(
        summary["windows"]["hbn"]["fixed"][split]["same EEG as run 3"] for split in ("train", "validation")
    )
    assert counted == ((index["kind"] == "fixed") & (index["reason"] == "same EEG as run 3")).sum() > 1000


def test_windows_of_a_movie_stay_in_its_own_file_and_leave_the_other(
    whole: tuple[pd.DataFrame, dict[str, Any]],
) -> None:
    index, _ = whole
    movies = index[index["kind"] == "movie"]
    assert movies["keep"].all()
    assert set(movies["task"]) == {"DespicableMe", "DiaryOfAWimpyKid", "FunwithFractals", "ThePresent"}
    other = index[
        (index["recording"] == "hbn/R1/sub-NDARAC904DMU/surroundSupp/run-2") & (index["kind"] == "fixed")
    ]
    assert set(other.loc[other["onset"] > 281, "reason"]) == {"same EEG as ThePresent"}
    assert other.loc[other["onset"] < 250, "keep"].mean() > 0.95


def test_scored_windows_of_a_test_release_are_all_kept_and_its_other_windows_once(
    recordings: pd.DataFrame, index_of: Index
) -> None:
    names = ["sub-NDARAM704GKZ", "sub-NDARAC904DMU", "sub-NDARBD879MBX", "sub-NDARBK082PDD"]
    some = recordings[recordings["subject"].isin(names)].reset_index(drop=True)
    # A subject of another release, so that there is something to train on.
    some.loc[some["subject"] == names[1], "release"] = "R2"
    index, _ = index_of(some, test=People(releases=("R1",)))
    tested = index[index["split"] == "test"]
    scored = tested["kind"].isin(["reaction_time", "crop"])
    assert tested.loc[scored, "keep"].all()
    assert (
        tested.loc[~scored & (tested["kind"] != "trial"), "reason"].str.startswith("same EEG as run 3").sum()
        > 100
    )


def test_eeg_is_twice_only_where_the_other_recording_can_be_used(
    recordings: pd.DataFrame, index_of: Index
) -> None:
    some = recordings[recordings["subject"].isin(["sub-NDARAM704GKZ", "sub-NDARBD879MBX"])]
    some = some.reset_index(drop=True)
    run_3 = "hbn/R1/sub-NDARAM704GKZ/contrastChangeDetection/run-3"
    for index, _ in (index_of(some[some["recording"] != run_3]), index_of(some, broken=(run_3,))):
        own = index[index["recording"] == run_3.replace("run-3", "run-2")]
        assert not (own["reason"] == "same EEG as run 3").any()
        assert (own["reason"] == "same EEG as DespicableMe").any()
        other = index[index["subject"] == "sub-NDARBD879MBX"]
        assert (other["reason"] == "same EEG as run 3").any()


def test_too_many_quarantined_recordings_stop_the_step_and_one_never_does(
    recordings: pd.DataFrame, index_of: Index
) -> None:
    some = recordings[recordings["subject"] == "sub-NDARAC904DMU"].reset_index(drop=True)
    some.loc[0, "subject"] = "sub-OTHER"  # so that somebody validates
    one, three = tuple(some["recording"][:1]), tuple(some["recording"][:3])
    _, summary = index_of(some, broken=one, limit=0.0)
    assert summary["recordings_quarantined"] == {"hbn": {"OSError: truncated": 1}}
    with pytest.raises(
        UserError, match=r"3 of \d+ recordings of hbn are quarantined.*datasets.hbn.max_failed_share"
    ):
        index_of(some, broken=three, limit=0.1)
    index_of(some, broken=three, limit=0.5)
