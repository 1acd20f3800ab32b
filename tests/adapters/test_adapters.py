import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest

from cerebro.adapters.run import COMPARED, compare_adapters
from cerebro.files import read_json
from cerebro.recordings.montages import LAYOUTS
from cerebro.report.adapters import write_adapter_tables
from cerebro.shards.store import ShardWriter, open_shard, quantise, write_table
from cerebro.tracking import create_store

pytestmark = pytest.mark.slow

SETTINGS = {
    "adapters": {"seeds": [0, 1], "steps": 2, "batch_size": 8, "max_windows_per_subject": 3},
    "encoder": {"dim": 16, "depth": 1, "heads": 2},
    "labels": {
        "eyes": {"of": "interval", "column": "eyes", "classes": ["closed", "open"]},
        "reaction_time": {"of": "event", "at": "target", "column": "response_time", "window": [0.5, 2.5]},
    },
    "probes": {"max_windows_per_subject": 4, "targets": ["eyes", "reaction_time"]},
    "statistics": {"resamples": 100},
}


@pytest.fixture(scope="module")
def compared(study, tmp_path_factory):
    """The comparison, HBN's windows of a whole net, test windows in a shard that does not exist."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "windows").mkdir()
    (folder / "shards").mkdir()
    for name in ("tuh-0.npy", "tuh-0.parquet"):
        (folder / "shards" / name).symlink_to(study.shards / name)
    length = len(open_shard(study.shards / "hbn-0.npy"))
    with ShardWriter(folder / "shards" / "hbn-0.npy", n_chans=128) as writer:
        writer.append(quantise(15 * np.random.default_rng(0).standard_normal((length, 128)))[0])
    recordings = pq.read_table(study.shards / "hbn-0.parquet")
    write_table(folder / "shards" / "hbn-0.parquet", recordings, channels=LAYOUTS["hbn_128"], sfreq=100.0)
    table = study.table.copy()
    table.loc[table["split"] == "test", "shard"] = "nowhere"
    table.to_parquet(folder / "windows" / "index.parquet")
    create_store(name="adapters", output=folder / "tracking.json")
    content = compare_adapters(
        SETTINGS,
        index=folder / "windows" / "index.parquet",
        store=folder / "tracking.json",
        output=folder / "comparison.json",
    )
    return folder, content


@pytest.mark.slow
def test_archives_are_compared_where_their_montage_can_tell_and_no_test_window_is_read(compared):
    folder, content = compared
    assert content == read_json(folder / "comparison.json")
    hbn, tuh = content["reconstruction"]["hbn"], content["reconstruction"]["tuh"]
    assert (hbn["n_subjects"], hbn["n_windows"], hbn["n_training_subjects"]) == (2, 6, 4)
    assert set(hbn["scenarios"]) == set(hbn["told"]) == {"tenth", "half", "nearest"}
    for scores in hbn["scenarios"].values():
        assert set(scores) == set(COMPARED)
        assert scores["zero_pad"]["minus"]["value"] == 0
    assert hbn["told"]["tenth"] > hbn["told"]["half"] > 0.8
    # Each of TUH's electrodes stands alone in its cell: nobody can tell one that is hidden.
    assert set(tuh["told"].values()) == {0.0}
    assert not any(tuh["scenarios"].values())


@pytest.mark.slow
def test_intervals_hold_their_value_and_the_value_is_the_mean_over_seeds(compared):
    for part in compared[1]["reconstruction"].values():
        for scores in part["scenarios"].values():
            for score in scores.values():
                assert len(score["seeds"]) == 2
                assert score["value"] == pytest.approx(sum(score["seeds"]) / 2)
                if score["low"] is not None:
                    assert score["low"] <= score["value"] + 1e-9
                    assert score["value"] <= score["high"] + 1e-9


def test_probes_of_untrained_encoders_and_costs_are_there_for_every_adapter(compared):
    content = compared[1]
    for name in COMPARED:
        eyes = content["probes"][name]["eyes"]
        assert eyes["metric"] == "balanced_accuracy"
        assert len(eyes["seeds"]) == 2
        assert content["cost"][name]["ms_per_window"] > 0
    assert content["cost"]["interpolation"]["parameters"] == 0 < content["cost"]["perceiver"]["parameters"]


def test_the_run_is_tracked_and_the_tables_name_every_adapter(compared, capsys):
    folder, content = compared
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    run = client.search_runs(["1"], "tags.`cerebro.kind` = 'adapters'")[0]
    score = content["reconstruction"]["hbn"]["scenarios"]["half"]["perceiver"]["value"]
    assert run.data.metrics["adapters/hbn/half/perceiver"] == pytest.approx(score)
    write_adapter_tables(content, output=folder / "comparison.md")
    text = (folder / "comparison.md").read_text()
    assert "perceiver, trained" in capsys.readouterr().out
    for heading in ("## hbn: share", "## tuh: share", "## Linear probes", "## Cost"):
        assert heading in text
    assert f"{score:.3f}" in text
