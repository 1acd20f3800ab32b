"""The step that compares subjects by every encoder, on a study of synthetic shards."""

import mlflow
import numpy as np
import pytest

from cerebro.config import EncoderSettings
from cerebro.data.card import random_encoder, write_phase_output
from cerebro.files import read_json
from cerebro.models.contrastive import ContrastiveModel
from cerebro.synchrony.run import run_isc
from cerebro.tracking import create_store

SMALL = EncoderSettings(dim=16, depth=1, heads=2)
MEASURES = {
    "n_subjects",
    "n_windows",
    "isc",
    "retrieval_top1",
    "median_rank",
    "info_nce",
    "alignment",
    "uniformity",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("isc") / "tracking.json"
    create_store(name="isc", output=path)
    return path


def run(study, store, output, node, encoder=None, index=None):
    settings = {
        "isc": {},
        "labels": {"movie": {"of": "moment", "column": "movie", "classes": "all"}},
        "statistics": {"resamples": 100},
        "encoder": SMALL.model_dump(),
        "seed": 0,
    }
    run_isc(node, settings, encoder=encoder, index=index or study.index, store=store, output=output)
    return read_json(output)


@pytest.mark.parametrize(("node", "embedding"), [("random", "tokens"), ("signal", "components")])
def test_what_needs_no_training_is_measured_on_both_splits_and_tracked(
    study, store, tmp_path, node, embedding
):
    content = run(study, store, tmp_path / "out.json", node)
    assert set(content["embeddings"]) == {embedding}
    for split in ("validation", "test"):
        found = content["embeddings"][embedding][split]
        assert set(found) == MEASURES
        assert found["n_subjects"] == 2
        assert found["n_windows"] == 24
    client = mlflow.MlflowClient(f"sqlite:///{store.parent / 'mlflow.db'}")
    tracked = client.search_runs(["1"], f"tags.`cerebro.node` = '{node}'")[0]
    assert tracked.data.tags["cerebro.kind"] == "isc"
    assert tracked.data.metrics[f"test/isc/{embedding}/isc_p"] == pytest.approx(found["isc"]["p"])
    assert f"validation/isc/{embedding}/retrieval_top1_chance" in tracked.data.metrics


def test_a_contrast_phase_is_measured_by_its_own_projection_as_well(study, store, tmp_path):
    model = ContrastiveModel(
        random_encoder(SMALL, seed=0), n_times=200, courses={"movie": True}, projection_dim=8
    )
    card = {
        "kind": "contrast",
        "lineage": ["contrast"],
        "mlflow_run_id": "0",
        "contrastive": model.architecture,
    }
    write_phase_output(tmp_path / "contrast", model, card)
    content = run(study, store, tmp_path / "out.json", "contrast", encoder=tmp_path / "contrast")
    assert set(content["embeddings"]) == {"tokens", "projection"}
    untrained = run(study, store, tmp_path / "random.json", "random")
    tokens = content["embeddings"]["tokens"]["test"]
    assert tokens["isc"]["value"] == pytest.approx(untrained["embeddings"]["tokens"]["test"]["isc"]["value"])
    assert content["embeddings"]["projection"]["test"]["isc"] != tokens["isc"]


def test_the_same_encoder_gives_the_same_file(study, store, tmp_path):
    for name in ("first.json", "second.json"):
        run(study, store, tmp_path / name, "signal")
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


def test_a_split_in_which_nobody_shares_a_moment_says_so(study, store, tmp_path):
    alone = study.table.copy()
    alone.loc[(alone["split"] == "validation") & (alone["subject"] == "hbn-4"), "keep"] = False
    path = tmp_path / "study" / "windows" / "index.parquet"
    path.parent.mkdir(parents=True)
    alone.to_parquet(path)
    (tmp_path / "study" / "shards").symlink_to(study.shards)
    found = run(study, store, tmp_path / "out.json", "random", index=path)["embeddings"]["tokens"]
    assert found["validation"] == {
        "not_measurable": "0 moments of a stimulus that two subjects met; 2 are needed"
    }
    assert found["test"]["n_subjects"] == 2
    assert np.isfinite(found["test"]["isc"]["value"])
