import mlflow
import pytest
import torch

from cerebro.evaluation.adapters import COMPARED, NearestElectrode, compare_adapters
from cerebro.files import read_json
from cerebro.recordings.montages import layout_positions
from cerebro.report.adapters import write_adapter_tables
from cerebro.tracking import create_store

SETTINGS = {
    "adapters": {"seeds": [0, 1], "steps": 2, "batch_size": 8, "max_windows_per_subject": 3},
    "encoder": {"dim": 16, "depth": 1, "heads": 2},
    "probes": {"max_windows_per_subject": 4, "targets": ["eyes", "reaction_time"]},
    "statistics": {"resamples": 100},
}


@pytest.fixture(scope="module")
def compared(study, tmp_path_factory):
    """The comparison on an index whose test windows lie in a shard that does not exist."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "windows").mkdir()
    (folder / "shards").symlink_to(study.shards)
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


def test_every_archive_is_compared_on_its_own_montage_and_no_test_window_is_read(compared):
    folder, content = compared
    assert content == read_json(folder / "comparison.json")
    assert {name: part["n_chans"] for name, part in content["reconstruction"].items()} == {
        "hbn": 13,
        "tuh": 7,
    }
    hbn = content["reconstruction"]["hbn"]
    assert (hbn["n_subjects"], hbn["n_windows"], hbn["n_training_subjects"]) == (2, 6, 4)
    for part in content["reconstruction"].values():
        assert set(part["scenarios"]) == {"tenth", "half"}  # neither montage is denser than 10-20
        for scores in part["scenarios"].values():
            assert set(scores) == set(COMPARED)
            assert scores["zero_pad"]["value"] == pytest.approx(1.0)
            assert scores["zero_pad"]["minus"]["zero_pad"]["value"] == 0


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
    score = content["reconstruction"]["tuh"]["scenarios"]["half"]["perceiver"]["value"]
    assert run.data.metrics["adapters/tuh/half/perceiver"] == pytest.approx(score)
    write_adapter_tables(content, output=folder / "comparison.md")
    text = (folder / "comparison.md").read_text()
    assert "perceiver, trained" in capsys.readouterr().out
    for heading in ("## hbn: share", "## tuh: share", "## Linear probes", "## Cost"):
        assert heading in text
    assert f"{score:.3f}" in text


def test_the_nearest_electrode_is_copied_whole():
    layout = torch.from_numpy(layout_positions("ten_twenty"))
    places = torch.from_numpy(layout_positions("hbn_128")).unsqueeze(0)
    signal = torch.arange(128.0).view(1, 128, 1)
    mapped, found = NearestElectrode(layout)(signal, places, torch.ones(1, 128, dtype=torch.bool))
    assert found.all()
    assert mapped[0, 8, 0] == 35  # C3: E36
