import os
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter

from cerebro.config import AnyLabel, EncoderSettings, Probes
from cerebro.data.card import random_encoder
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError
from cerebro.files import digest_file, read_json
from cerebro.probes.band_power import BANDS_HZ, log_band_power, read_ten_twenty
from cerebro.probes.comparison import compare_encoders
from cerebro.probes.feature_store import read_features
from cerebro.probes.features import extract_features, run_features
from cerebro.probes.run import probed, run_probes, scored
from cerebro.probes.targets import needed_sets, probe_targets
from cerebro.probes.window_sets import probed_windows
from cerebro.tracking import create_store

CHALLENGE = yaml.safe_load((Path(__file__).parents[2] / "config" / "challenge.yaml").read_text())
LABELS = TypeAdapter(dict[str, AnyLabel]).validate_python(CHALLENGE["labels"])
TARGETS = probe_targets(CHALLENGE["probes"]["targets"], LABELS)
PROBES = Probes(penalties=(1.0, 100.0, 10000.0))
SMALL = EncoderSettings(dim=16, depth=1, heads=2)


def _population(random: np.random.Generator, n_subjects: int = 60, n_windows: int = 12) -> pd.DataFrame:
    """Windows of subjects, a third of whom are held out for the score and a third validate."""
    people = pd.DataFrame(
        {
            "subject": [f"s{i:02}" for i in range(n_subjects)],
            "split": np.resize(["train", "test", "validation"], n_subjects),
            "age": random.uniform(5, 20, n_subjects),
            "sex": random.permutation(np.resize(["male", "female"], n_subjects)),
            **{
                factor: random.normal(size=n_subjects)
                for factor in ("p_factor", "attention", "internalizing", "externalizing")
            },
        }
    )
    windows = people.loc[people.index.repeat(n_windows)].reset_index(drop=True)
    windows["window"] = np.arange(len(windows))
    windows["reaction_time"] = random.normal(1.6, 0.4, len(windows))
    windows["eyes"] = np.resize(["open", "closed"], len(windows))
    windows["task"] = np.resize(["contrast", "movie", "rest"], len(windows))
    windows["recording"] = windows["subject"] + windows["task"]
    windows["onset"] = 2.0 * np.resize(np.arange(n_windows), len(windows))
    windows["movie"] = windows["stream"] = "ThePresent"
    windows["moment"] = windows["onset"]
    return windows


def probe(target, features, windows, *, probes, resamples):
    return scored(probed(target, features, windows, penalties=probes.penalties), target, resamples=resamples)


def _planted(windows: pd.DataFrame, name: str, random: np.random.Generator) -> np.ndarray:
    """Noise, with the target along one direction, or one direction per class."""
    label = windows["moment" if name == "movie" else TARGETS[name].label]
    features = random.normal(size=(len(windows), 12))
    if pd.api.types.is_numeric_dtype(label) and TARGETS[name].form != "moment":
        features[:, 3] += 2 * (label - label.mean()) / label.std()
        return features.astype(np.float32)
    codes = pd.factorize(label)[0]
    directions = 3 * random.normal(size=(codes.max() + 1, 12))
    return (features + directions[codes]).astype(np.float32)


@pytest.mark.parametrize("name", TARGETS)
def test_a_planted_signal_is_found(name):
    print("seed 20")
    random = np.random.default_rng(20)
    windows = _population(random)
    found = probe(TARGETS[name], _planted(windows, name, random), windows, probes=PROBES, resamples=300)
    leading = "r" if TARGETS[name].form == "regression" else TARGETS[name].metric
    score = found["metrics"][leading]
    assert next(iter(found["metrics"])) == TARGETS[name].metric
    assert score["value"] > 0.8
    assert score["low"] > (score["floor"] or 0)
    assert score["low"] <= score["value"] <= score["high"]
    assert found["n_subjects"] == 20
    assert set(found["penalties"]) <= set(PROBES.penalties)


@pytest.mark.parametrize("name", TARGETS)
def test_noise_scores_like_no_eeg(name):
    print("seed 21")
    random = np.random.default_rng(21)
    windows = _population(random)
    noise = random.normal(size=(len(windows), 12)).astype(np.float32)
    metrics = probe(TARGETS[name], noise, windows, probes=PROBES, resamples=300)["metrics"]
    if TARGETS[name].form == "regression":
        assert metrics["nrmse"]["low"] < metrics["nrmse"]["floor"] < 1.2
    else:
        leading = metrics[TARGETS[name].metric]
        chance = {"task": 1 / 3, "identity": 1 / 20}.get(name, 0.5)
        assert leading["floor"] == pytest.approx(chance)
        assert leading["low"] < chance + 0.02
        assert leading["high"] > chance - 0.02


def test_r_of_noise_is_zero_although_folds_differ_in_their_means():
    """Means of the other folds alone correlate with the truth at far below zero."""
    values, floors = [], []
    for seed in range(12):
        random = np.random.default_rng(seed)
        windows = _population(random, n_subjects=30, n_windows=1)
        noise = random.normal(size=(len(windows), 4)).astype(np.float32)
        metrics = probe(TARGETS["age"], noise, windows, probes=PROBES, resamples=100)["metrics"]
        values.append(metrics["r"]["value"])
        floors.append(metrics["nrmse"]["floor"])
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(12)
    assert np.mean(floors) > 1


@pytest.mark.parametrize("name", ["age", "eyes", "task", "movie", "identity"])
def test_the_order_of_windows_changes_nothing(name):
    print("seed 26")
    random = np.random.default_rng(26)
    windows = _population(random, n_subjects=24)
    features = _planted(windows, name, random)
    order = random.permutation(len(windows))
    shuffled = windows.iloc[order].reset_index(drop=True)
    before = probe(TARGETS[name], features, windows, probes=PROBES, resamples=100)
    after = probe(TARGETS[name], features[order], shuffled, probes=PROBES, resamples=100)
    assert before == after


@pytest.mark.parametrize("name", ["age", "sex", "eyes", "movie"])
def test_what_an_encoder_knows_of_its_training_subjects_has_no_part_in_the_probe(name):
    """An encoder that has memorised labels: a probe fitted on those subjects would trust that."""
    print("seed 27")
    random = np.random.default_rng(27)
    windows = _population(random)
    features = _planted(windows, name, random)
    memorised = features.copy()
    trained = (windows["split"] == "train").to_numpy()
    column = "moment" if name == "movie" else TARGETS[name].label
    memorised[trained, 5] += 100 * pd.factorize(windows.loc[trained, column])[0]
    honest = probe(TARGETS[name], features, windows, probes=PROBES, resamples=100)
    assert probe(TARGETS[name], memorised, windows, probes=PROBES, resamples=100) == honest


def test_features_that_only_tell_subjects_apart_do_not_predict_a_trait_of_new_subjects():
    print("seed 22")
    random = np.random.default_rng(22)
    windows = _population(random)
    features = np.eye(60, dtype=np.float32)[pd.factorize(windows["subject"])[0]]
    found = probe(TARGETS["externalizing"], features, windows, probes=PROBES, resamples=100)
    assert found["metrics"]["nrmse"]["value"] > 0.97
    assert probe(TARGETS["identity"], features, windows, probes=PROBES, resamples=100)["metrics"]["accuracy"][
        "value"
    ] == pytest.approx(1)


def test_identity_is_scored_on_later_windows_than_those_that_were_fitted():
    """Features that name the subject until a moment in its recordings: found if that moment is late."""
    print("seed 28")
    random = np.random.default_rng(28)
    windows = _population(random, n_subjects=30, n_windows=36)
    place = windows.groupby("recording").cumcount() / windows.groupby("recording")["onset"].transform("size")
    code = pd.factorize(windows["subject"])[0]

    def accuracy(known: pd.Series) -> float:
        features = 0.1 * random.normal(size=(len(windows), 30))
        features[np.arange(len(windows)), np.where(known, code, (code + 1) % 30)] += 3
        found = probe(TARGETS["identity"], features.astype(np.float32), windows, probes=PROBES, resamples=100)
        return found["metrics"]["accuracy"]["value"]

    assert accuracy(place < 2 / 3) < 0.1
    assert accuracy((place < 1 / 3) | (place >= 2 / 3)) > 0.9


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("age", "the test split holds a single value in 1 subjects"),
        ("sex", "the test split holds a single value in 1 subjects"),
        ("identity", "1 of those who are scored have windows early and late"),
        ("reaction_time", "1 training subject, cross-validation needs 2"),
        ("eyes", "1 and 1 training subjects in the 2 classes"),
        ("task", "1, 1 and 1 training subjects in the 3 classes"),
    ],
)
def test_what_few_subjects_do_not_allow_is_recorded_with_its_reason(name, reason):
    """One validation subject and one test subject."""
    print("seed 24")
    random = np.random.default_rng(24)
    windows = _population(random, n_subjects=3)
    features = random.normal(size=(len(windows), 12)).astype(np.float32)
    found = probe(TARGETS[name], features, windows, probes=PROBES, resamples=100)
    assert reason in found["not_measurable"]


def test_missing_labels_leave_a_probe_unmeasurable():
    print("seed 25")
    random = np.random.default_rng(25)
    windows = _population(random).assign(age=np.nan)
    features = random.normal(size=(len(windows), 12)).astype(np.float32)
    found = probe(TARGETS["age"], features, windows, probes=PROBES, resamples=100)
    assert "nobody who is scored has a known value" in found["not_measurable"]


def test_features_follow_the_order_of_the_rows_and_are_mean_and_deviation_over_tokens(study):
    encoder = random_encoder(SMALL, seed=0).eval()
    rows = study.table[study.table["kind"] == "fixed"].reset_index(drop=True)
    shuffled = rows.sample(frac=1, random_state=0)
    found = extract_features(encoder, shuffled.reset_index(drop=True), shards=study.shards)
    one = WindowDataset(rows, study.shards)[[int(shuffled.index[5])]]
    tokens, present = encoder.encode(one["signal"], one["positions"])
    seen = tokens[present].detach().numpy()
    assert found[5] == pytest.approx(np.concatenate([seen.mean(axis=0), seen.std(axis=0)]), abs=1e-4)


def test_an_encoder_in_training_mode_is_refused(study):
    with pytest.raises(ValueError, match="training mode"):
        extract_features(random_encoder(SMALL, seed=0).train(), study.table, shards=study.shards)


def test_windows_of_films_are_the_same_moments_for_all_and_do_not_overlap(study):
    table = study.table.copy()
    table.loc[table["kind"] == "movie", "moment"] /= 6  # a grid of 1 s, windows of 2 s
    one = (table["kind"] == "movie") & (table["subject"] == "hbn-5") & (table["moment"] == 4)
    table.loc[one, "keep"] = False
    chosen = probed_windows(table, ["movie"], stimuli=["movie"], at_most=4)["movie"]
    assert set(chosen["split"]) == {"validation", "test"}
    times = chosen.groupby("subject")["moment"].apply(list)
    assert all(set(one) <= {0, 4, 6, 10} for one in times)
    assert len(times["hbn-4"]) == 4
    assert len(times["hbn-5"]) == 3


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("probes") / "tracking.json"
    create_store(name="probes", output=path)
    return path


def _run(study, folder, targets, store, *, index=None, node="random"):
    index = index or study.index
    settings = {
        "sets": needed_sets(targets, LABELS),
        "labels": CHALLENGE["labels"],
        "max_windows_per_subject": 6,
        "encoder": SMALL.model_dump(),
        "seed": 0,
    }
    run_features(node, settings, encoder=None, index=index, output=folder / "features" / f"{node}.npz")
    probes = {
        "probes": {"targets": list(targets)},
        "labels": CHALLENGE["labels"],
        "statistics": {"resamples": 100},
    }
    output = folder / "probes" / f"{node}.json"
    run_probes(
        probes,
        features=folder / "features" / f"{node}.npz",
        index=index,
        store=store,
        output=output,
    )
    return output


def test_an_untrained_encoder_is_probed_and_tracked(study, store, tmp_path):
    targets = [name for name in TARGETS if name != "task"]  # the study's index has no tasks
    content = read_json(_run(study, tmp_path, targets, store))
    assert content["node"] == "random"
    assert set(content["targets"]) == set(targets)
    eyes = content["targets"]["eyes"]
    assert (eyes["n_subjects"], eyes["n_scored"], eyes["n_training_subjects"]) == (2, 12, 3)
    sets = read_features(tmp_path / "features" / "random.npz")[1]
    read = study.table.loc[sets["fixed"].window]
    assert set(read["split"]) == {"validation", "test"}
    assert set(read["dataset"]) == {"hbn"}  # TUH has nobody to score
    client = mlflow.MlflowClient(f"sqlite:///{store.parent / 'mlflow.db'}")
    run = client.search_runs(["1"], "tags.`cerebro.node` = 'random'")[0]
    expected = eyes["metrics"]["balanced_accuracy"]["value"]
    assert run.data.metrics["probe/eyes/balanced_accuracy"] == pytest.approx(expected)
    assert run.data.tags["cerebro.kind"] == "probe"
    assert "probe/reaction_time/nrmse_low" in run.data.metrics


def test_the_signal_itself_is_probed_by_its_band_power(study, store, tmp_path):
    features = tmp_path / "features" / "signal.npz"
    settings = {"sets": ["eyes", "fixed"], "labels": {}, "max_windows_per_subject": 6}
    run_features("signal", settings, encoder=None, index=study.index, output=features)
    origin, sets = read_features(features)
    assert origin == {"node": "signal", "lineage": [], "index": digest_file(study.index)}
    for part in sets.values():
        assert part.values.shape == (len(part.window), 21 * len(BANDS_HZ))
    rows = study.table.loc[sets["fixed"].window[[2]]].reset_index(drop=True)
    alone = log_band_power(next(read_ten_twenty(rows, study.shards)))[0]
    assert sets["fixed"].values[2] == pytest.approx(alone, abs=1e-4)


def test_the_same_encoder_gives_the_same_files(study, store, tmp_path):
    first, second = (_run(study, tmp_path / name, ["eyes", "age"], store) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("other", ["fewer windows", "another label"])
def test_features_of_another_index_are_refused_with_the_older_file(study, store, tmp_path, other):
    """Their windows would be looked up by number: missing, or another's."""
    _run(study, tmp_path, ["age"], store)
    features, index = tmp_path / "features" / "random.npz", tmp_path / "windows" / "index.parquet"
    index.parent.mkdir()
    table = study.table[::2] if other == "fewer windows" else study.table.assign(age=7.0)
    table.to_parquet(index)
    probes = {"probes": {"targets": ["age"]}, "labels": CHALLENGE["labels"], "statistics": {"resamples": 100}}
    for older, newer in ((features, index), (index, features)):
        os.utime(older, (1e9, 1e9))
        os.utime(newer)
        with pytest.raises(UserError) as told:
            run_probes(probes, features=features, index=index, store=store, output=tmp_path / "no.json")
        assert f"{features} was made from another window index than {index} ({older} is" in str(told.value)
        assert f"snakemake --cores 8 --force {features}" in str(told.value)
    assert not (tmp_path / "no.json").exists()


def test_without_a_test_split_the_validation_people_are_scored_and_the_result_says_so(study, store, tmp_path):
    """Of all datasets: nobody of TUH is ever in the test split of this study."""
    index = tmp_path / "windows" / "index.parquet"
    index.parent.mkdir()
    (tmp_path / "shards").symlink_to(study.shards)
    study.table[study.table["split"] != "test"].to_parquet(index)
    found = read_json(_run(study, tmp_path, ["age", "eyes"], store, index=index))["targets"]
    assert found["age"]["split"] == "validation"
    assert found["age"]["n_subjects"] == 3
    assert "1 and 1 training subjects" in found["eyes"]["not_measurable"]


def test_what_encoders_are_compared_by_is_what_their_probes_score(study, store, tmp_path):
    """The answers beside the scores give the leading scores again, and their floors, for every target."""
    targets = [name for name in TARGETS if name != "task"]
    file = _run(study, tmp_path, targets, store)
    scores, answers = read_json(file)["targets"], pd.read_parquet(file.with_suffix(".parquet"))
    table = compare_encoders({"row": ["random"]}, {}, {"random": answers}, resamples=100).set_index("target")
    measured = {name: found["metrics"] for name, found in scores.items() if "metrics" in found}
    assert len(measured) > 3
    assert set(table.index) == set(measured)
    for name, metrics in measured.items():
        leading = metrics[TARGETS[name].metric]
        assert table.at[name, "value"] == pytest.approx(leading["value"])
        assert table.at[name, "floor"] == pytest.approx(leading["floor"])
