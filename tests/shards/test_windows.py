import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cerebro.config import AnyLabel, People, Splits, Windows
from cerebro.errors import UserError
from cerebro.shards.store import open_shard, read_table, read_window
from cerebro.shards.windows import index_schema


@pytest.fixture(scope="module")
def index(study: Path) -> pd.DataFrame:
    return pd.read_parquet(study / "index.parquet")


def test_every_kind_of_window_is_there_with_what_it_needs(
    index: pd.DataFrame, labels: Mapping[str, AnyLabel]
) -> None:
    assert list(index.columns) == index_schema(labels).names
    assert set(index["kind"]) == {"fixed", "movie", "eyes", "reaction_time", "trial", "crop"}
    assert (index["window"] == np.arange(len(index))).all()
    kinds = dict(list(index.groupby("kind")))
    assert (kinds["movie"]["movie"] == "DespicableMe").all()
    assert (kinds["movie"]["stream"] == "DespicableMe").all()
    assert (kinds["movie"]["moment"] == kinds["movie"].groupby("recording").cumcount()).all()
    assert set(kinds["eyes"]["eyes"]) == {"open", "closed"}
    assert (kinds["eyes"]["task"] == "RestingState").all()
    assert (kinds["eyes"]["stream"] == kinds["eyes"]["eyes"]).all()
    assert set(kinds["eyes"]["moment"]) == {0.0}
    assert set(kinds["reaction_time"]["reaction_time"].round(3)) == {1.234, 1.334, 1.434}
    assert set(kinds["reaction_time"]["stream"]) == {"target"}
    assert set(kinds["reaction_time"]["moment"]) == {0.5}
    assert kinds["crop"]["externalizing"].notna().all()
    assert set(kinds["fixed"]["dataset"]) == {"hbn", "tuh"}
    assert set(kinds["trial"]["trial"]) == set(kinds["trial"]["stream"]) == {"left/right"}
    assert index.loc[index["kind"] != "reaction_time", "reaction_time"].isna().all()
    assert set(index.loc[index["kind"] != "trial", "trial"]) == {""}
    assert set(index["condition"]) == {""}
    assert (index["age"] == np.where(index["dataset"] == "tuh", 32.0, 9.5)).all()
    assert set(index["sex"]) == {"female"}
    for kind in ("fixed", "crop"):
        assert set(kinds[kind]["stream"]) == {""}
        assert kinds[kind]["moment"].isna().all()


def test_a_window_of_the_grid_has_the_state_in_which_it_lies_wholly(index: pd.DataFrame) -> None:
    # The eyes are open from 2 to 12 s and then closed; the first second of each is left out.
    fixed = index[(index["kind"] == "fixed") & (index["task"] == "RestingState")]
    assert len(fixed) == 5 * 10
    for row in fixed.itertuples():
        inside = {"open": (3, 12), "closed": (13, 20)}
        states = [
            name for name, (begin, end) in inside.items() if begin <= row.onset and row.onset + 2 <= end
        ]
        assert row.eyes == (states[0] if states else "")


def test_no_window_lies_outside_its_recording_and_onsets_fit(study: Path, index: pd.DataFrame) -> None:
    for shard, rows in index.groupby("shard"):
        table = read_table(study / f"shards/{shard}.parquet").recordings.set_index("recording")
        place = table.loc[rows["recording"]]
        first = rows["start"].to_numpy() - place["offset"].to_numpy()
        assert (first >= 0).all()
        assert (first + rows["length"].to_numpy() <= place["length"].to_numpy()).all()
        np.testing.assert_allclose(rows["onset"], first / 100)


def test_a_window_read_from_the_shard_has_the_amplitude_that_the_index_states(
    study: Path, index: pd.DataFrame
) -> None:
    for row in index.groupby("kind").head(2).itertuples():
        window = read_window(open_shard(study / f"shards/{row.shard}.npy"), row.start, row.length)
        span = np.ptp(window, axis=1)
        assert np.median(span[span > 1]) == pytest.approx(row.peak_to_peak, rel=1e-5)


def test_no_subject_is_in_two_splits_and_the_test_release_is_scored_only(index: pd.DataFrame) -> None:
    assert (index.groupby("subject")["split"].nunique() == 1).all()
    assert ((index["release"] == "R5") == (index["split"] == "test")).all()
    for _, rows in index.groupby("dataset"):
        assert {"train", "validation"} <= set(rows["split"])


def test_trial_windows_start_half_a_second_after_the_target(index: pd.DataFrame) -> None:
    trials = index[index["kind"] == "reaction_time"]
    for _, rows in trials.groupby("recording"):
        # Targets at 7.805, 13.805 and 19.805 s; the fourth trial has no next start.
        np.testing.assert_allclose(rows["onset"], [8.3, 14.3, 20.3], atol=0.0101)


def test_quality_removes_training_windows_and_never_scored_ones(
    study: Path, index_study: Callable[..., None]
) -> None:
    index_study(study, Windows(max_peak_to_peak=1e-3, crops=("contrastChangeDetection",)), name="strict")
    strict = pd.read_parquet(study / "strict.parquet")
    scored = strict["kind"].isin(["reaction_time", "crop"]) & (strict["split"] == "test")
    assert scored.any()
    assert (strict["keep"] == scored).all()
    assert set(strict.loc[~strict["keep"], "reason"]) == {"max_peak_to_peak"}
    assert set(strict.loc[strict["keep"], "reason"]) == {""}


def test_zero_kept_windows_are_an_error_that_names_the_filter(
    study: Path, index_study: Callable[..., None]
) -> None:
    with pytest.raises(UserError, match=r"no window is kept: 17 recordings gave .* max_peak_to_peak removed"):
        index_study(study, Windows(max_peak_to_peak=1e-3), Splits(test=None), "none")
    assert not (study / "none.parquet").exists()


def test_excluded_subjects_have_no_windows(study: Path, index_study: Callable[..., None]) -> None:
    tested = People(releases=("R5",))
    splits = Splits(test=tested, excluded_subjects=("sub-AA", "BA"))
    index_study(study, splits=splits, name="excluding")
    assert not {"sub-AA", "sub-BA"} & set(pd.read_parquet(study / "excluding.parquet")["subject"])
    summary = json.loads((study / "excluding.json").read_text())
    assert summary["recordings_unused"] == {"hbn": {"excluded": {"subject excluded by the configuration": 6}}}


def test_the_summary_counts_recordings_and_windows_apart(study: Path, index: pd.DataFrame) -> None:
    summary = json.loads((study / "index.json").read_text())
    assert summary["windows_candidate"] == len(index)
    assert summary["windows_kept"] == index["keep"].sum()
    per_split = [splits for dataset in summary["recordings"].values() for splits in dataset.values()]
    recordings = sum(count for counts in per_split for count in counts.values())
    assert recordings == index["recording"].nunique() == 17
    trials = index[(index["kind"] == "reaction_time") & (index["split"] == "test")]
    assert summary["windows"]["hbn"]["reaction_time"]["test"] == {"kept": len(trials)}
    assert summary["left_out"] == {
        "movies without a stop": 5,
        "eyes intervals without an end, taken to last HBN's 20 or 40 s": 5,
    }


def test_recordings_without_usable_events_keep_their_fixed_windows(
    study: Path, tmp_path: Path, index_study: Callable[..., None]
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    inventory = pd.read_parquet(folder / "inventory.parquet")
    moved = []
    for index, row in inventory.iterrows():
        if row["reader"] == "hbn":
            source = Path(row["path"])
            moved.append(tmp_path / "elsewhere" / source.name)
            inventory.loc[index, "path"] = str(moved[-1])
    moved[0].parent.mkdir()
    broken = moved[0].with_name(moved[0].name.rsplit("_eeg.", 1)[0] + "_events.tsv")
    broken.write_text("nothing here\n")
    inventory.to_parquet(folder / "inventory.parquet")
    with pytest.warns(UserWarning, match="events unreadable"):
        index_study(folder)
    windows = pd.read_parquet(folder / "index.parquet")
    assert set(windows["kind"]) == {"fixed", "crop"}
    assert json.loads((folder / "index.json").read_text())["left_out"] == {
        "recordings with unreadable events": 1,
        "recordings without events": 14,
    }


def test_shards_older_than_the_inventory_are_refused(
    study: Path, tmp_path: Path, index_study: Callable[..., None]
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(study, folder)
    inventory = pd.read_parquet(folder / "inventory.parquet")
    added = inventory.iloc[[0]].assign(recording="hbn/R1/sub-NEW/RestingState")
    pd.concat([inventory, added]).to_parquet(folder / "inventory.parquet")
    with pytest.raises(UserError, match=r"sub-NEW.*build the shards again"):
        index_study(folder)
