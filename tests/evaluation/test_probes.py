import mlflow
import numpy as np
import pandas as pd
import pytest

from cerebro.config import EncoderSettings, Probes
from cerebro.data.card import random_encoder
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError
from cerebro.evaluation.features import extract_features
from cerebro.evaluation.probes import probe, run_probes
from cerebro.evaluation.targets import TARGETS
from cerebro.files import read_json
from cerebro.tracking import create_store

PROBES = Probes()
SMALL = EncoderSettings(dim=16, depth=1, heads=2)


def _population(random: np.random.Generator, n_subjects: int = 60, n_windows: int = 8) -> pd.DataFrame:
    """Windows of subjects, a third of whom are held out."""
    people = pd.DataFrame(
        {
            "subject": [f"s{i:02}" for i in range(n_subjects)],
            "split": np.resize(["train", "train", "validation", "test", "test", "train"], n_subjects),
            "age": random.uniform(5, 20, n_subjects),
            "sex": random.permutation(np.arange(n_subjects) % 2.0),
            "externalizing": random.normal(size=n_subjects),
        }
    )
    windows = people.loc[people.index.repeat(n_windows)].reset_index(drop=True)
    windows["reaction_time"] = random.normal(1.6, 0.4, len(windows))
    windows["eyes"] = np.resize(["open", "closed"], len(windows))
    return windows


def _planted(windows: pd.DataFrame, name: str, random: np.random.Generator) -> np.ndarray:
    """Noise, with the target along one direction."""
    target = TARGETS[name]
    values = windows[target.label]
    values = (values == target.classes[1]) * 1.0 if target.classes else values
    features = random.normal(size=(len(windows), 12))
    features[:, 3] += 2 * (values - values.mean()) / values.std()
    return features.astype(np.float32)


@pytest.mark.parametrize("name", TARGETS)
def test_a_planted_signal_is_found(name):
    print("seed 20")
    random = np.random.default_rng(20)
    windows = _population(random)
    found = probe(TARGETS[name], _planted(windows, name, random), windows, probes=PROBES, resamples=300)
    leading, better = ("r", 0.8) if TARGETS[name].task == "regression" else ("balanced_accuracy", 0.8)
    score = found["metrics"][leading]
    assert score["value"] > better
    assert score["low"] > (score["floor"] or 0)
    assert score["low"] <= score["value"] <= score["high"]
    assert found["n_subjects"] == (windows.loc[windows["split"] == "test", "subject"].nunique())
    assert found["n_windows"] == (windows["split"] == "test").sum()
    assert found["penalty"] in PROBES.penalties


@pytest.mark.parametrize("name", TARGETS)
def test_noise_scores_like_no_eeg(name):
    print("seed 21")
    random = np.random.default_rng(21)
    windows = _population(random)
    noise = random.normal(size=(len(windows), 12)).astype(np.float32)
    metrics = probe(TARGETS[name], noise, windows, probes=PROBES, resamples=300)["metrics"]
    if TARGETS[name].task == "regression":
        assert metrics["nrmse"]["value"] == pytest.approx(metrics["nrmse"]["floor"], abs=0.1)
    else:
        assert metrics["balanced_accuracy"]["floor"] == 0.5
        assert metrics["auc"]["low"] < 0.5 < metrics["auc"]["high"]


def test_features_that_only_tell_subjects_apart_do_not_predict_a_trait_of_new_subjects():
    print("seed 22")
    random = np.random.default_rng(22)
    windows = _population(random)
    identity = pd.factorize(windows["subject"])[0]
    features = np.eye(60, dtype=np.float32)[identity]
    found = probe(TARGETS["externalizing"], features, windows, probes=PROBES, resamples=100)
    assert found["metrics"]["nrmse"]["value"] > 0.97


def test_externalizing_is_scored_by_window_and_by_subject():
    print("seed 23")
    random = np.random.default_rng(23)
    windows = _population(random)
    features = _planted(windows, "externalizing", random)
    metrics = probe(TARGETS["externalizing"], features, windows, probes=PROBES, resamples=100)["metrics"]
    assert metrics["subject_r"]["value"] > metrics["r"]["value"]  # averages are less noisy


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("age", "the test split holds a single value in 1 subjects"),
        ("externalizing", "the test split holds a single value in 1 subjects"),
        ("sex", "training subjects in the two classes"),
    ],
)
def test_what_few_subjects_do_not_allow_is_recorded_with_its_reason(name, reason):
    """Three training subjects and one test subject, as in the smoke study."""
    print("seed 24")
    random = np.random.default_rng(24)
    windows = _population(random, n_subjects=4).assign(sex=lambda t: (t["subject"] == "s00") * 1.0)
    features = random.normal(size=(len(windows), 12)).astype(np.float32)
    found = probe(TARGETS[name], features, windows, probes=PROBES, resamples=100)
    assert reason in found["not_measurable"]
    reaction_time = probe(TARGETS["reaction_time"], features, windows, probes=PROBES, resamples=100)
    assert reaction_time["metrics"]["nrmse"]["value"] > 0
    assert reaction_time["metrics"]["nrmse"]["low"] is None


def test_missing_labels_leave_a_probe_unmeasurable():
    print("seed 25")
    random = np.random.default_rng(25)
    windows = _population(random).assign(age=np.nan)
    features = random.normal(size=(len(windows), 12)).astype(np.float32)
    found = probe(TARGETS["age"], features, windows, probes=PROBES, resamples=100)
    assert "hold nothing" in found["not_measurable"]


def test_features_follow_the_order_of_the_rows(study):
    encoder = random_encoder(SMALL, seed=0).eval()
    rows = study.table[study.table["kind"] == "fixed"].reset_index(drop=True)
    shuffled = rows.sample(frac=1, random_state=0)
    found = extract_features(encoder, shuffled.reset_index(drop=True), shards=study.shards)
    one = WindowDataset(rows, study.shards)[[int(shuffled.index[5])]]
    expected = encoder.features(one["signal"], one["positions"]).detach().numpy()[0]
    assert found[5] == pytest.approx(expected, abs=1e-4)


def test_an_encoder_in_training_mode_is_refused(study):
    with pytest.raises(ValueError, match="training mode"):
        extract_features(random_encoder(SMALL, seed=0).train(), study.table, shards=study.shards)


def _settings(**changes):
    return {
        "probes": {"max_windows_per_subject": 5, **changes},
        "statistics": {"resamples": 100},
        "encoder": SMALL.model_dump(),
        "seed": 0,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("probes") / "tracking.json"
    create_store(name="probes", output=path)
    return path


def test_an_untrained_encoder_is_probed_and_tracked(study, store, tmp_path):
    output = tmp_path / "random.json"
    run_probes("random", _settings(), encoder=None, index=study.index, store=store, output=output)
    content = read_json(output)
    assert content["node"] == "random"
    assert set(content["targets"]) == set(TARGETS)
    age = content["targets"]["age"]
    assert age["n_subjects"] == 2
    assert age["n_windows"] == 10  # five of each of two subjects, no TUH
    assert age["n_training_subjects"] == 6
    client = mlflow.MlflowClient(f"sqlite:///{store.parent / 'mlflow.db'}")
    run = client.search_runs(["1"], "tags.`cerebro.node` = 'random'")[0]
    assert run.data.metrics["probe/age/mae"] == pytest.approx(age["metrics"]["mae"]["value"])
    assert run.data.tags["cerebro.kind"] == "probe"
    assert "probe/reaction_time/nrmse_low" in run.data.metrics


def test_the_same_encoder_gives_the_same_file(study, store, tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for output in (first, second):
        run_probes("random", _settings(), encoder=None, index=study.index, store=store, output=output)
    assert first.read_bytes() == second.read_bytes()


def test_an_index_without_a_test_split_is_a_clear_mistake(study, store, tmp_path):
    index = tmp_path / "windows" / "index.parquet"
    index.parent.mkdir()
    study.table[study.table["split"] != "test"].to_parquet(index)
    with pytest.raises(UserError, match=r"splits\.test_releases"):
        run_probes("random", _settings(), encoder=None, index=index, store=store, output=tmp_path / "x.json")
