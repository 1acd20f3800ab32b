"""The numbers of the smoke study: each one exists and lies where numbers of its kind can lie.

`SMOKE_RESULTS` names the results folder of a finished run, as `.ci/run` does after `make smoke`.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import root_mean_squared_error

from cerebro.files import read_json

PHASES = ("tokenizer", "pretrain", "contrast", "reaction_time", "externalizing")
ENCODERS = (*PHASES, "random", "signal")
RANGES = {
    "nrmse": (0.2, 10),
    "mae": (0, 20),
    "r2": (-100, 1),
    "r": (-1, 1),
    "accuracy": (0, 1),
    "balanced_accuracy": (0, 1),
    "auc": (0, 1),
    "rank": (0, 1),
    "top1": (0, 1),
}
"""Least and largest value of a probe's metrics; four people can be far off the mark."""


@pytest.fixture(scope="module")
def results() -> Path:
    """Results folder of the smoke study."""
    given = os.environ.get("SMOKE_RESULTS")
    if given is None:
        pytest.skip("needs a finished smoke study: make smoke, then SMOKE_RESULTS=$PWD/results/smoke")
    return Path(given)


def numbers(content: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a JSON file with their paths."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from numbers(value, f"{path}/{key}")
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from numbers(value, f"{path}/{number}")
    elif isinstance(content, int | float):
        yield path, float(content)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_probe_is_measured_and_its_interval_holds_it(results: Path, encoder: str) -> None:
    targets = read_json(results / "probes" / f"{encoder}.json")["targets"]
    assert {"reaction_time", "age", "sex", "p_factor", "externalizing", "eyes"} <= set(targets)
    for target, probe in targets.items():
        assert "not_measurable" not in probe, f"{target}: {probe}"
        for name, metric in probe["metrics"].items():
            assert metric["low"] <= metric["value"] <= metric["high"], f"{target} {name}: {metric}"
            low, high = RANGES[name]
            assert low <= metric["value"] <= high, f"{target} {name}: {metric}"


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_comparison_of_movie_watchers_is_measured(results: Path, encoder: str) -> None:
    embeddings = read_json(results / "isc" / f"{encoder}.json")["embeddings"]
    assert embeddings
    for name, splits in embeddings.items():
        assert {"validation", "test"} <= set(splits), name
        for split, found in splits.items():
            assert "not_measurable" not in found, f"{name} {split}: {found}"
            assert -1 <= found["isc"]["value"] <= 1
            assert 0 <= found["isc"]["p"] <= 1
            assert 0 <= found["retrieval_top1"]["value"] <= 1
            assert found["median_rank"]["value"] >= 1
        interval = splits["test"]["retrieval_top1"]
        assert interval["low"] <= interval["value"] <= interval["high"]


@pytest.mark.parametrize("challenge", [1, 2])
def test_both_challenges_are_scored_as_their_predictions_say(results: Path, challenge: int) -> None:
    score = read_json(results / "submission" / "score.json")[f"challenge_{challenge}"]
    table = pd.read_parquet(results / "submission" / "predictions.parquet")
    table = table[table["challenge"] == challenge]
    error = root_mean_squared_error(table["truth"], table["prediction"]) / table["truth"].std(ddof=0)
    assert score["nrmse"]["value"] == pytest.approx(error, rel=1e-4)
    assert 0.5 < error < 2
    assert score["nrmse"]["low"] <= error <= score["nrmse"]["high"]
    assert score["n_subjects"] == 4
    assert score["n_windows"] == len(table)
    for floor in score["floors"].values():
        assert 0.5 < floor["value"] < 2


def test_the_overall_score_weighs_both_challenges(results: Path) -> None:
    score = read_json(results / "submission" / "score.json")
    first, second = (score[f"challenge_{n}"]["nrmse"]["value"] for n in (1, 2))
    assert score["overall"]["nrmse"]["value"] == pytest.approx(0.3 * first + 0.7 * second)


@pytest.mark.parametrize("phase", PHASES)
def test_every_metric_of_a_phase_is_a_number_and_its_history_is_whole(results: Path, phase: str) -> None:
    metrics = read_json(results / "phases" / phase / "metrics.json")
    assert all(math.isfinite(value) for _, value in numbers(metrics)), metrics
    history = pd.read_csv(results / "phases" / phase / "history.csv")
    assert history["epoch"].tolist() == [0, 1, 2]
    assert np.isfinite(history["val/loss"]).all()


@pytest.mark.parametrize("phase", ["tokenizer", "pretrain"])
def test_two_epochs_of_self_supervision_lower_the_loss(results: Path, phase: str) -> None:
    loss = pd.read_csv(results / "phases" / phase / "history.csv")["val/loss"]
    assert loss.iloc[-1] < 0.95 * loss.iloc[0]


def test_the_codebook_is_in_use(results: Path) -> None:
    metrics = read_json(results / "phases" / "tokenizer" / "metrics.json")
    assert 0.25 <= metrics["val/used_share"] <= 1
    assert 4 <= metrics["val/perplexity"] <= 16


def test_most_windows_are_kept(results: Path) -> None:
    table = pd.read_parquet(results / "windows" / "index.parquet", columns=["dataset", "split", "keep"])
    assert set(table["split"]) == {"train", "validation", "test"}
    assert table["keep"].mean() > 0.9
    assert table.groupby(["dataset", "split"]).size().min() >= 10
