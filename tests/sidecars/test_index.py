"""The window index over the small sidecars: their events, and noise in place of signals."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from eegdash.hbn.windows import build_trial_table

from cerebro.config import AnyLabel, People, Splits, Windows
from cerebro.shards.store import ShardWriter, write_table
from cerebro.shards.windows import build_index


def index_of(
    sidecars: Path, folder: Path, labels: Mapping[str, AnyLabel], *, test: People | None
) -> pd.DataFrame:
    rows = []
    for path in sorted(sidecars.glob("sub-*/eeg/*_events.tsv")):
        found = re.fullmatch(r"(sub-\w+?)_task-(\w+?)(?:_run-(\d))?_events.tsv", path.name)
        assert found
        header = path.with_name(path.name.replace("_events.tsv", "_eeg.json"))
        seconds = json.loads(header.read_text())["RecordingDuration"] if header.exists() else 140.0
        rows.append(
            {
                "recording": f"hbn/R1/{path.name}",
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
                "length": round(seconds * 100),
                "person": json.dumps({"externalizing": "0.5"}),
                "facts": "{}",
            }
        )
    table = pd.DataFrame(rows).assign(channels=json.dumps(["Cz", "E11"]), reason="")
    table["offset"] = table["length"].cumsum() - table["length"]
    table.to_parquet(folder / "inventory.parquet")
    noise = np.random.default_rng(0).integers(-200, 200, (table["length"].sum(), 2)).astype(np.int16)
    with ShardWriter(folder / "hbn-0.npy", n_chans=2) as shard:
        shard.append(noise)
    columns = table[["recording", "offset", "length", "channels", "reason"]]
    write_table(
        folder / "hbn-0.parquet",
        pa.Table.from_pandas(columns, preserve_index=False),
        channels=["Cz", "E11"],
        sfreq=100.0,
    )
    build_index(
        Windows(crops=("contrastChangeDetection",)),
        Splits(test=test),
        labels,
        inventory=folder / "inventory.parquet",
        shards=[folder / "hbn-0.parquet"],
        max_failed_share={"hbn": 0},
        output=folder / "index.parquet",
        summary=folder / "index.json",
    )
    return pd.read_parquet(folder / "index.parquet")


@pytest.mark.slow
def test_a_trial_that_two_files_hold_is_trained_on_once_and_scored_as_often_as_the_scorer_does(
    small_sidecars: Path, tmp_path: Path, labels: Mapping[str, AnyLabel]
) -> None:
    found = {}
    for name, test in (("trained", None), ("scored", People(subjects=("sub-ODD1",)))):
        folder = tmp_path / name
        folder.mkdir()
        index = index_of(small_sidecars, folder, labels, test=test)
        found[name] = index[(index["kind"] == "reaction_time") & (index["subject"] == "sub-ODD1")]
    trained, scored = found["trained"], found["scored"]
    answered = sum(
        int(build_trial_table(pd.read_csv(path, sep="\t"))["rt_from_stimulus"].notna().sum())
        for path in small_sidecars.glob("sub-ODD1/eeg/*contrastChange*_events.tsv")
    )
    assert len(scored) == answered
    assert scored["keep"].all()
    twice = trained[~trained["keep"]]
    assert set(twice["reason"]) == {"same EEG as run 3"}
    assert set(twice["run"]) == {"2"}
    assert len(twice) == 3  # block 3's answered trials, which run 3 keeps
    assert len(trained) - len(twice) == answered - 3


@pytest.mark.parametrize("kind", ["movie", "eyes"])
def test_windows_of_movies_and_eyes_are_kept(
    small_sidecars: Path, tmp_path: Path, labels: Mapping[str, AnyLabel], kind: str
) -> None:
    index = index_of(small_sidecars, tmp_path, labels, test=None)
    windows = index[index["kind"] == kind]
    assert windows["keep"].any()
    assert (windows["reason"].isin(["", "movie paused", "break in the recording"])).all()
