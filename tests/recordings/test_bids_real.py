"""Real people in three datasets of BIDS are found with all that is known of them."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from cerebro.config import Dataset
from cerebro.recordings.bids import read_events, scan
from cerebro.recordings.inventory import build_inventory


def test_each_dataset_is_found_with_its_tables_and_events(real_recordings: Path) -> None:
    eyes = list(scan([real_recordings / "guinea_bissau"]))
    assert len(eyes) == len({one.subject for one in eyes}) == 53
    assert Counter(one.person["group"] for one in eyes) == {"epilepsy": 30, "control": 23}
    events = pd.concat([read_events(one.path) for one in eyes])
    assert Counter(events["trial_type"]) == {"eyes_closed": 44, "eyes_open": 44}
    assert (events["duration"] > 0).all()

    load = list(scan([real_recordings / "eegmat"]))
    assert Counter(one.task for one in load) == {"rest": 28, "arithmetic": 28}
    assert len({one.subject for one in load}) == 28
    assert {int(one.person["age"]) for one in load} <= set(range(16, 27))

    cueing = list(scan([real_recordings / "muse_cueing"]))
    assert Counter(one.session for one in cueing) == {"1": 46, "2": 47}
    assert len({one.name for one in cueing}) == 93
    assert len({one.subject for one in cueing}) == 47
    targets = read_events(cueing[0].path).query("value in ('target_left', 'target_right')")
    assert 0.1 < pd.to_numeric(targets["response_time"]).median() < 2


def test_three_datasets_below_one_root_keep_their_people_apart(real_recordings: Path, tmp_path: Path) -> None:
    output = tmp_path / "inventory.parquet"
    dataset = Dataset(reader="bids", roots=(real_recordings,), mains_hz=50)
    with pytest.warns(UserWarning, match=r"files left out .*: 1 \(first: .*eeglab_data.set"):
        build_inventory({"real": dataset}, raw=None, excluded_subjects=(), output=output)
    rows = pd.read_parquet(output)
    assert (rows["status"] == "ok").all()
    assert rows["subject"].nunique() == 53 + 28 + 47
    assert Counter(rows["n_chans"]) == {14: 53, 19: 56, 4: 93}
    assert set(rows["mains_hz"]) == {50}
    assert {name.rpartition("_")[0] for name in rows["subject"]} == {"guinea_bissau", "eegmat", "muse_cueing"}
    muse = rows[rows["n_chans"] == 4]
    assert {tuple(json.loads(names)) for names in muse["channels"]} == {("TP9", "AF7", "AF8", "TP10")}
