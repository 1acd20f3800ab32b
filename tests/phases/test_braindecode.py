"""Phases whose encoder is a network of braindecode: trained, probed, started from published weights."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from cerebro.config import BraindecodeSettings, Compute
from cerebro.data.card import load_encoder, load_predictor, random_encoder, read_card
from cerebro.data.networks import read_weights
from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.models import braindecode_encoder
from cerebro.phases.job import PhaseJob
from cerebro.phases.run import run_phase
from cerebro.probes.features import extract_features, run_features
from cerebro.probes.run import run_probes

pytestmark = pytest.mark.slow

NETWORKS = {
    "CBraMod": {"braindecode": "CBraMod", "options": {"n_layer": 1, "dim_feedforward": 32}},
    "Labram": {"braindecode": "Labram", "options": {"num_layers": 1}, "adapter": "interpolation"},
    "EEGNeX": {"braindecode": "EEGNeX"},
}
SHORT = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 8}
FINETUNE = {"kind": "finetune", "target": "reaction_time", "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def start(study, store, declared, tmp_path_factory):
    """Train one phase from an encoder's settings; returns its folder."""

    def run(encoder: dict, **phase):
        root = tmp_path_factory.mktemp("phase")
        run_phase(
            "scratch",
            {
                "phase": {**SHORT, **phase},
                "labels": declared({**SHORT, **phase}),
                "encoder": encoder,
                "lineage": ["scratch"],
            },
            index=study.index,
            store=store,
            parents={},
            state=root / "state",
            output=root / "output",
            compute=Compute(accelerator="cpu", threads=1),
        )
        return root / "output"

    return run


@pytest.fixture(scope="module")
def finetuned(start):
    changes = {
        "CBraMod": {"objective": "distribution"},
        "Labram": {"target": "externalizing", "windows": "crop", "layer_decay": 0.65, "low_rank": 2},
        "EEGNeX": {"weight_average": 0.5},
    }
    return {name: start(settings, **FINETUNE | changes[name]) for name, settings in NETWORKS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_network_is_finetuned_and_loads_as_it_was(name, finetuned, study):
    folder = finetuned[name]
    assert read_card(folder)["encoder"]["braindecode"] == name
    history = pd.read_csv(folder / "history.csv")
    assert history["step"].tolist() == [0, 2]
    assert history["val/loss"].nunique() == 2
    predictor = load_predictor(folder)
    windows = study.table.query("kind == 'reaction_time' and split == 'test'").reset_index(drop=True)
    features = extract_features(load_encoder(folder), windows, shards=study.shards)
    assert features.shape == (len(windows), 2 * predictor.encoder.dim)
    assert features.std(axis=0).mean() > 0


def test_probes_read_a_network_and_an_untrained_one(finetuned, study, labels, store, tmp_path):
    known = {name: labels[name].model_dump(mode="json") for name in ("age", "eyes")}
    probes = {"probes": {"targets": list(known)}, "labels": known, "statistics": {"resamples": 100}}
    chosen = {
        "sets": ["eyes", "fixed"],
        "labels": {"eyes": known["eyes"]},
        "max_windows_per_subject": 6,
        "seed": 0,
    }
    for node, encoder in (("scratch", finetuned["CBraMod"]), ("random", None)):
        settings = {**chosen, "encoder": NETWORKS["EEGNeX"]} if encoder is None else chosen
        features, output = tmp_path / f"{node}.npz", tmp_path / f"{node}.json"
        run_features(node, settings, encoder=encoder, index=study.index, output=features)
        run_probes(probes, features=features, index=study.index, store=store, output=output)
        assert set(read_json(output)["targets"]) == {"age", "eyes"}


def test_cbramod_is_pretrained_by_hiding_its_patches(start):
    folder = start(
        NETWORKS["CBraMod"],
        kind="pretrain",
        target="spectrum",
        mix={"hbn": 0.7, "tuh": 0.3},
        auxiliary={"age": 1.0},
    )
    assert np.isfinite(read_json(folder / "metrics.json")["val/loss"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Labram", "EEGNeX"])
def test_a_network_trains_on_pairs_of_subjects(name, start):
    """Some steps, all kept: an untrained EEGNeX gives all windows one embedding, and is refused for it."""
    settings = {"kind": "contrast", "sources": {"movie": 1.0}, "keep": "last"}
    folder = start(NETWORKS[name], **settings, steps_per_epoch=20, learning_rate=3e-3)
    assert np.isfinite(read_json(folder / "metrics.json")["val/loss"])


def published(name: str, *, n_patches: int | None = None) -> dict[str, torch.Tensor]:
    """Weights as a hub would hand them over: another seed, a head for classes, perhaps longer windows."""
    settings = BraindecodeSettings.model_validate(NETWORKS[name])
    network = random_encoder(settings, seed=9).network
    state = {key: value.clone() for key, value in network.state_dict().items()}
    state["final_layer.weight"] = torch.randn(4, 200)
    if n_patches:
        state["temporal_embedding"] = torch.randn(1, n_patches + 1, 200)
    return state


def job(study, weights) -> PhaseJob:
    name = "Labram" if "labram" in weights.name else "CBraMod"
    encoder = {**NETWORKS[name], "weights": str(weights)}
    label = {"of": "event", "at": "target", "column": "response_time", "window": [0.5, 2.5]}
    settings = {
        "phase": {**SHORT, **FINETUNE},
        "labels": {"reaction_time": label},
        "encoder": encoder,
        "lineage": ["scratch"],
    }
    return PhaseJob.parse("scratch", settings, index=study.index, parents={}, compute=Compute())


def test_a_phase_starts_from_published_weights_in_a_local_file(study, tmp_path, capsys):
    state = published("CBraMod")
    save_file(state, tmp_path / "cbramod.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "cbramod.pth")
    for path in (tmp_path / "cbramod.safetensors", tmp_path / "cbramod.pth"):
        started = job(study, path)
        loaded = started.encoder().network.state_dict()
        assert all(torch.equal(loaded[key], state[key]) for key in loaded)
        assert started.transition["unexpected"] == ["final_layer.weight"]
        assert not started.transition["missing"] + started.transition["reshaped"]
        assert "unexpected: final_layer.weight" in capsys.readouterr().out


def test_labrams_times_are_cut_to_those_of_our_windows(study, tmp_path):
    state = published("Labram", n_patches=15)
    torch.save(state, tmp_path / "labram.pt")
    loaded = job(study, tmp_path / "labram.pt").encoder().network.state_dict()
    assert torch.equal(loaded["temporal_embedding"], state["temporal_embedding"][:, :3])


def test_the_weights_in_a_file_decide_what_is_resumed_not_its_name(study, tmp_path):
    path = tmp_path / "cbramod.pt"
    state, digests = published("CBraMod"), []
    for value in (1.0, 1.0, 2.0):
        torch.save({**state, "extra": torch.tensor(value)}, path)
        digests.append(job(study, path).fingerprint({}))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("content", [{"one": torch.ones(2)}, {"no": "tensors"}])
def test_a_file_of_something_else_is_refused(study, tmp_path, content):
    torch.save(content, tmp_path / "cbramod.pt")
    with pytest.raises(UserError, match=r"cbramod\.pt"):
        job(study, tmp_path / "cbramod.pt").encoder()


def test_a_file_that_is_no_weights_is_refused(study, tmp_path):
    (tmp_path / "cbramod.safetensors").write_text("nothing")
    with pytest.raises(UserError, match=r"cbramod\.safetensors cannot be read as weights"):
        job(study, tmp_path / "cbramod.safetensors").encoder()


def test_a_file_that_holds_no_tensors_by_name_is_no_file_of_weights(tmp_path: Path) -> None:
    torch.save([1.0, 2.0], tmp_path / "list.pt")
    settings = BraindecodeSettings(braindecode="EEGNeX", weights=tmp_path / "list.pt")
    with pytest.raises(UserError, match=r"list\.pt cannot be read as weights: it holds a list"):
        read_weights(settings, torch.nn.Identity())


def test_a_fault_of_this_package_is_not_called_a_wrong_file_of_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise AttributeError("a fault of our own")

    torch.save({"a": torch.zeros(1)}, tmp_path / "sound.pt")
    monkeypatch.setattr(braindecode_encoder, "published_state", fault)
    settings = BraindecodeSettings(braindecode="EEGNeX", weights=tmp_path / "sound.pt")
    with pytest.raises(AttributeError, match="a fault of our own"):
        read_weights(settings, torch.nn.Identity())
