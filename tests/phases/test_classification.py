"""Phase 3 for classes: it learns a rhythm, is chosen by balanced accuracy, and its answers are scored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cerebro.config import Compute
from cerebro.data.card import load_classifier, read_card
from cerebro.files import read_json
from cerebro.phases.classification import class_weights
from cerebro.phases.run import run_phase
from cerebro.scoring.phase_score import score_phase
from cerebro.scoring.predictions import predict
from cerebro.tracking import create_store

ENCODER = {"dim": 16, "depth": 1, "heads": 2}
LABELS: dict[str, Any] = {
    "eyes": {"of": "interval", "column": "eyes", "classes": ["open", "closed"]},
    "state": {"of": "interval", "column": "state", "classes": ["rest", "alpha", "theta"]},
    "age": {"of": "person", "column": "age"},
}
PHASE = {
    "kind": "finetune",
    "target": "eyes",
    "epochs": 3,
    "steps_per_epoch": 20,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "encoder_learning_rate": 3e-3,
}


@pytest.fixture(scope="module")
def rhythms(study, tmp_path_factory) -> Path:
    """The study with an alpha rhythm in each window of closed eyes; states are that, slow waves, or none."""
    root = tmp_path_factory.mktemp("rhythms")
    (root / "shards").mkdir()
    (root / "windows").mkdir()
    for path in study.shards.iterdir():
        (root / "shards" / path.name).write_bytes(path.read_bytes())
    table = study.table[study.table["kind"].isin(["eyes", "fixed"])].copy()
    place = table["onset"].to_numpy() // 2
    table["eyes"] = np.where(place % 2 == 1, "closed", "open")
    table["state"] = np.array(["rest", "alpha", "theta"])[
        np.where(place % 2 == 1, 1, np.where(place % 4, 2, 0))
    ]
    table.loc[table["kind"] == "fixed", "eyes"] = ""
    table.loc[(table["kind"] == "fixed") & (place >= 8), "state"] = ""
    table.to_parquet(root / "windows" / "index.parquet")
    signal = np.lib.format.open_memmap(root / "shards" / "hbn-0.npy", mode="r+")
    times = np.arange(200) / 100
    fields = 1500 * np.linspace(-1, 1, signal.shape[1] - 1)  # their mean, which a reference takes off, is 0
    for row in table[table["kind"] == "eyes"].itertuples():
        rate = {"rest": 0, "alpha": 10, "theta": 5}[row.state]
        wave = np.sin(2 * np.pi * rate * times)[:, None] * fields
        signal[row.start : row.start + 200, :-1] += wave.astype(signal.dtype)
    signal.flush()
    return root / "windows" / "index.parquet"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("store") / "tracking.json"
    create_store(name="classes", output=path)
    return path


@pytest.fixture(scope="module")
def train(rhythms, store, tmp_path_factory) -> Callable[..., Path]:
    def run(node: str, **phase: Any) -> Path:
        root = tmp_path_factory.mktemp(node)
        run_phase(
            node,
            {"phase": phase, "labels": LABELS, "encoder": ENCODER, "lineage": [node]},
            index=rhythms,
            store=store,
            parents={},
            state=root / "state",
            output=root / node,
            compute=Compute(accelerator="cpu", threads=1),
        )
        return root / node

    return run


@pytest.fixture(scope="module")
def classified(train) -> Path:
    return train("eyes", **PHASE)


def test_a_rhythm_is_learned_and_the_epoch_chosen_by_balanced_accuracy(classified):
    metrics, history = read_json(classified / "metrics.json"), pd.read_csv(classified / "history.csv")
    assert metrics["val/balanced_accuracy"] == pytest.approx(history["val/balanced_accuracy"].max())
    assert metrics["kept_epoch"] == history["epoch"][history["val/balanced_accuracy"].idxmax()]
    assert metrics["val/balanced_accuracy"] > 0.9
    assert metrics["val/auc"] > 0.95
    assert metrics["val/chance"] == 0.5
    card = read_card(classified)
    assert card["classifier"]["classes"] == ["open", "closed"]
    assert load_classifier(classified).classes == ["open", "closed"]


def test_answers_are_classes_with_the_probability_of_each_and_are_scored(
    classified, rhythms, store, tmp_path
):
    answers, output = tmp_path / "answers.parquet", tmp_path / "score.json"
    predict(classified, split="test", index=rhythms, output=answers)
    table = pd.read_parquet(answers)
    assert list(table)[4:] == ["truth", "prediction", "p:open", "p:closed"]
    assert (table["p:open"] + table["p:closed"]).to_numpy() == pytest.approx(1, abs=1e-5)
    settings = {"phase": PHASE, "labels": LABELS, "statistics": {"resamples": 200}}
    score_phase("eyes", settings, answers=answers, index=rhythms, store=store, output=output)
    found = read_json(output)
    assert (found["split"], found["classes"], found["n_subjects"]) == ("test", ["open", "closed"], 2)
    assert found["metrics"]["balanced_accuracy"]["value"] > 0.9
    assert found["metrics"]["balanced_accuracy"]["floors"]["majority_class"]["value"] == 0.5
    assert found["metrics"]["auc"]["value"] > 0.95
    assert "age_sex" in found["metrics"]["auc"]["floors"]
    assert "by_subject" not in found


def test_a_number_of_a_person_is_scored_by_window_and_by_person_and_on_validation_people(
    train, rhythms, store, tmp_path
):
    phase = {**PHASE, "target": "age", "epochs": 1, "steps_per_epoch": 2}
    answers, output = tmp_path / "answers.parquet", tmp_path / "score.json"
    predict(train("age", **phase), split="validation", index=rhythms, output=answers)
    settings = {"phase": phase, "labels": LABELS, "statistics": {"resamples": 200}}
    score_phase("age", settings, answers=answers, index=rhythms, store=store, output=output)
    found = read_json(output)
    assert (found["split"], found["n_subjects"], found["n_windows"]) == ("validation", 3, 36)
    people = pd.read_parquet(answers).groupby("subject")[["truth", "prediction"]].mean()
    error = (people["truth"] - people["prediction"]).pow(2).mean() ** 0.5 / people["truth"].std(ddof=0)
    assert found["by_subject"]["nrmse"]["value"] == pytest.approx(error, rel=1e-6)
    assert set(found["metrics"]["nrmse"]["floors"]) == {"training_mean"}  # age is no floor of itself


def test_a_state_of_three_classes_is_learned_beside_masked_modelling_and_missing_ones_are_masked(train):
    folder = train(
        "pretrain",
        kind="pretrain",
        target="signal",
        mix={"hbn": 1.0},
        auxiliary={"state": 1.0, "age": 1.0},
        epochs=2,
        steps_per_epoch=10,
        batch_size=32,
        learning_rate=3e-3,
    )
    history = pd.read_csv(folder / "history.csv")
    assert history["val/aux_state"].iloc[-1] < history["val/aux_state"].iloc[0]
    assert 0 <= history["val/state/hbn/balanced_accuracy"].iloc[-1] <= 1
    assert read_card(folder)["auxiliary"]["classes"] == {"state": ["rest", "alpha", "theta"]}


def test_weights_of_classes_count_people_not_windows():
    """Three people are of the first class, one with a hundred windows; one is of both by halves."""
    subjects = ["a"] * 100 + ["b", "c", "d", "d"]
    classes = [0.0] * 100 + [0, 0, 0, 1]
    weights = class_weights(pd.DataFrame({"subject": subjects, "y": classes}), "y", 2)
    assert weights == pytest.approx([4 / (2 * 3.5), 4 / (2 * 0.5)])
