import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from cerebro.data.selection import select_windows
from cerebro.data.window_check import check_windows
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.shards.store import read_table, write_table

DECLARED = ("movie", "reaction_time", "eyes", "sex")


def test_windows_are_the_shards_samples_in_microvolts(study):
    table = study.table[study.table["kind"] == "fixed"].reset_index(drop=True)
    batch = WindowDataset(table, study.shards, ["age"])[[3, 0, 97]]
    for place, row in enumerate((3, 0, 97)):
        stored = np.load(study.shards / f"{table['shard'][row]}.npy")
        start = table["start"][row]
        expected = stored[start : start + 200].T.astype(np.float32) * np.float32(0.1)
        n_chans = expected.shape[0]
        np.testing.assert_array_equal(batch["signal"][place, :n_chans], expected)
        assert (batch["signal"][place, n_chans:] == 0).all()
        assert batch["age"][place] == pytest.approx(table["age"][row], rel=1e-6)
    assert batch["row"].tolist() == [3, 0, 97]
    norms = batch["positions"].norm(dim=-1)
    assert torch.equal(norms > 0.5, torch.arange(13).expand(3, -1) < torch.tensor([[13], [13], [7]]))


def test_text_labels_become_codes_of_their_sorted_values(study):
    table = study.table[study.table["kind"] == "eyes"].reset_index(drop=True)
    batch = WindowDataset(table, study.shards, ["eyes"])[[0, 1]]
    assert batch["eyes"].tolist() == [0, 1]  # closed, open


def test_a_shard_of_another_rate_is_refused_by_name(study, tmp_path):
    shutil.copytree(study.shards, tmp_path / "shards")
    shard = tmp_path / "shards" / "hbn-0.parquet"
    channels = read_table(shard).channels
    write_table(shard, pq.read_table(shard), channels=channels, sfreq=200.0)
    with pytest.raises(UserError, match=r"shard hbn-0 .* is at 200 Hz, not at 100"):
        WindowDataset(study.table, tmp_path / "shards")


def test_an_empty_table_is_refused(study):
    with pytest.raises(UserError, match="no windows"):
        WindowDataset(study.table.iloc[:0], study.shards)


def test_selection_that_leaves_nothing_names_the_filter_that_removed_the_windows(study):
    table = study.table.assign(keep=False)
    with pytest.raises(UserError, match=r"no window is left for x: .*, 0 that quality kept"):
        select_windows(table, kind="fixed", splits=["train"], purpose="x")
    with pytest.raises(UserError, match=r"0 with a known reaction_time"):
        select_windows(
            study.table.assign(reaction_time=np.nan),
            kind="reaction_time",
            splits=["train"],
            label="reaction_time",
            purpose="x",
        )


def test_test_windows_never_reach_training(study):
    for split in ("train", "validation"):
        chosen = select_windows(study.table, kind="reaction_time", splits=[split], purpose="x")
        assert set(chosen["release"]) == {"R1"}


def test_check_refuses_an_index_in_which_a_phase_would_find_no_windows(study, labels, tmp_path):
    phases = {
        "tokenizer": {"kind": "tokenizer"},
        "contrast": {"kind": "contrast", "sources": {"movie": 1.0}},
        "rt": {"kind": "finetune", "target": "reaction_time"},
    }
    settings = {"phases": phases, "labels": {name: labels[name].model_dump() for name in DECLARED}}
    check_windows(settings, index=study.index, output=tmp_path / "checked.json")
    counts = read_json(tmp_path / "checked.json")
    assert counts["tokenizer"] == {"train": 6 * 12, "validation": 3 * 12}
    assert counts["rt"] == {"train": 4 * 12, "validation": 2 * 12}
    phases["contrast"]["subjects_per_moment"] = 5
    with pytest.raises(UserError, match=r"'contrast' finds 0 moments of source movie that 5 .*\(train\)"):
        check_windows(settings, index=study.index, output=tmp_path / "checked.json")
    del phases["contrast"]["subjects_per_moment"]
    without = study.table[study.table["kind"] != "movie"]
    without.to_parquet(tmp_path / "index.parquet")
    with pytest.raises(UserError, match=r"phase 'contrast' \(train\), source movie: .* 0 of kind 'movie'"):
        check_windows(settings, index=tmp_path / "index.parquet", output=tmp_path / "checked.json")


def test_a_class_that_nobody_has_is_said_before_anything_trains(study, labels, tmp_path):
    eyes = labels["eyes"].model_copy(update={"classes": {"closed": ("c",), "open": ("o",), "half": ("h",)}})
    settings = {
        "phases": {"eyes": {"kind": "finetune", "target": "eyes"}},
        "labels": {"eyes": eyes.model_dump(mode="json")},
    }
    with pytest.raises(UserError, match=r"'eyes': no training window is of class 'half' of eyes"):
        check_windows(settings, index=study.index, output=tmp_path / "checked.json")
    sex = {
        "phases": {"sex": {"kind": "finetune", "target": "sex"}},
        "labels": {"sex": labels["sex"].model_dump(mode="json")},
    }
    table = study.table.assign(sex=study.table["sex"].where(study.table["split"] == "train", "male"))
    table.to_parquet(tmp_path / "index.parquet")
    with pytest.raises(UserError, match="validation people hold a single class of sex"):
        check_windows(sex, index=tmp_path / "index.parquet", output=tmp_path / "checked.json")


def test_a_label_that_nobody_has_says_so(study, labels, tmp_path):
    table = study.table.assign(eyes="")
    table.to_parquet(tmp_path / "index.parquet")
    settings = {
        "phases": {"eyes": {"kind": "finetune", "target": "eyes"}},
        "labels": {"eyes": labels["eyes"].model_dump(mode="json")},
    }
    with pytest.raises(UserError, match=r"phase 'eyes' \(train\): .* 0 with a known eyes"):
        check_windows(settings, index=tmp_path / "index.parquet", output=tmp_path / "checked.json")
