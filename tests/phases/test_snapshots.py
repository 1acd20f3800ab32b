"""Encoders kept within a training."""

import shutil
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load_file

from cerebro.data.card import load_checkpoint, load_encoder, read_card
from cerebro.errors import UserError
from cerebro.files import write_json
from cerebro.phases.snapshots import snapshot_epochs
from cerebro.probes.feature_store import read_features
from cerebro.probes.features import extract_features, run_features


def test_checkpoints_divide_the_training_into_equal_parts():
    assert snapshot_epochs(12, 3) == [3, 6, 9]
    assert snapshot_epochs(10, 0) == []
    for epochs in range(2, 30):
        for count in range(1, epochs):
            chosen = snapshot_epochs(epochs, count)
            assert len(set(chosen)) == count
            assert max(chosen) < epochs


def test_a_checkpoint_is_the_encoder_as_it_was_after_that_epoch(train, study, tmp_path):
    """Checkpoints move away from the first; to keep them changes nothing in the training."""
    constant = {"warmup_share": 0.0, "learning_rate": 1e-3, "keep": "last"}
    folder = train("tokenizer", output="with_checkpoints", epochs=4, checkpoints=3, **constant)
    states = [load_checkpoint(folder, number).state_dict() for number in (1, 2, 3)]
    states.append(load_encoder(folder).state_dict())
    name = "patch_embedding.layers.0.weight"
    for earlier, later in pairwise(states):
        assert not torch.equal(earlier[name], later[name])
    first = [(state[name] - states[0][name]).norm() for state in states]
    assert first == sorted(first)
    chosen, output = {"sets": ["eyes"], "labels": {}, "max_windows_per_subject": 2}, tmp_path / "features.npz"
    run_features("tokenizer@2", chosen, encoder=folder, index=study.index, output=output, checkpoint=2)
    origin, sets = read_features(output)
    assert (origin["node"], origin["lineage"][-1]) == ("tokenizer@2", "tokenizer@2")
    windows = study.table.loc[sets["eyes"].window].reset_index(drop=True)
    expected = extract_features(load_checkpoint(folder, 2), windows, shards=study.shards)
    assert (sets["eyes"].values == expected).all()
    without = train("tokenizer", output="without_checkpoints", epochs=4, **constant)
    kept, found = (load_file(one / "encoder.safetensors") for one in (without, folder))
    assert all(torch.equal(kept[key], value) for key, value in found.items())
    assert load_file(without / "checkpoints.safetensors") == {}
    with pytest.raises(UserError, match="holds no checkpoint 1"):
        load_checkpoint(without, 1)


def test_checkpoints_of_low_rank_updates_load_as_plain_weights(trained, train):
    changes = {"low_rank": 2, "epochs": 3, "checkpoints": 1}
    folder = train("reaction_time", output="low_rank_checkpoints", **changes)
    assert load_checkpoint(folder, 1).state_dict().keys() == load_encoder(folder).state_dict().keys()


def test_features_do_not_depend_on_the_run_that_tracked_the_training(trained, study, tmp_path):
    """Two runs of a study write the same bytes; the probe looks the run up by the encoder's folder."""
    folder, output = tmp_path / "contrast", tmp_path / "features.npz"
    shutil.copytree(trained["contrast"], folder)
    written = []
    for run_id in ("one", "another"):
        write_json(folder / "card.json", {**read_card(folder), "mlflow_run_id": run_id})
        settings = {"sets": ["eyes"], "labels": {}, "max_windows_per_subject": 2}
        run_features("contrast", settings, encoder=folder, index=study.index, output=output)
        written.append(output.read_bytes())
    assert written[0] == written[1]
    assert read_features(output)[0]["encoder"] == str(folder)
