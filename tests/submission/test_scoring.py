import mlflow
import numpy as np
import pandas as pd
import pytest

from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.report.summary import score_table
from cerebro.scoring.submission import evaluate, score
from cerebro.scoring.windows import CHANNELS, scored_windows
from cerebro.shards.store import open_shard
from cerebro.tracking import create_store

DECLARED = {
    "age": {"of": "person", "column": "age"},
    "sex": {"of": "person", "column": "sex", "classes": ["male", "female"]},
}
SETTINGS = {"statistics": {"resamples": 100}, "labels": DECLARED}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("scores") / "tracking.json"
    create_store(name="scores", output=path)
    return path


def _test_rows(study, kind: str) -> pd.DataFrame:
    table = study.table
    return table[(table["kind"] == kind) & (table["split"] == "test")]


def test_windows_arrive_in_volts_in_the_scorers_channel_order(study):
    rows = _test_rows(study, "reaction_time")
    windows = np.concatenate(list(scored_windows(rows, shards=study.shards, chunk=5)))
    assert windows.shape == (len(rows), 129, 200)
    assert windows.dtype == np.float32
    steps = open_shard(study.shards / "hbn-0.npy")
    start = int(rows["start"].iloc[7])
    # The shard's third column is E22, which the scorer has at index 21; one step is 0.1 µV.
    assert windows[7, 21] == pytest.approx(steps[start : start + 200, 2] * 1e-7, rel=1e-6)
    assert not windows[:, CHANNELS.index("E1")].any()  # not recorded here


def test_windows_of_another_length_are_refused(study):
    rows = _test_rows(study, "reaction_time").assign(length=400)
    with pytest.raises(UserError, match="windows of 200 samples, not of 400"):
        next(scored_windows(rows, shards=study.shards))


def test_the_score_equals_one_computed_by_hand(study, store, hand_made, tmp_path):
    """The submission answers 1.5 plus the mean deviation of E1 to E5: of four flat channels and none here."""
    output = tmp_path / "score.json"
    zip = hand_made("X[:, :5]", "X[:, 8:13]")  # E9, flat E10, E11, flat E12 and E13
    score(zip, SETTINGS, index=study.index, store=store, output=output)
    content = read_json(output)
    steps = open_shard(study.shards / "hbn-0.npy")
    expected = {}
    for challenge, kind, label in ((1, "reaction_time", "reaction_time"), (2, "crop", "externalizing")):
        rows = _test_rows(study, kind)
        answers = [
            1.5 + 1e3 * (steps[start : start + 200, :2] * 1e-7).std(axis=0, ddof=1).sum() / 5
            for start in rows["start"]
        ]
        errors = np.array(answers) - rows[label].to_numpy()
        expected[challenge] = np.sqrt(np.mean(errors**2)) / np.std(rows[label].to_numpy())
        found = content[f"challenge_{challenge}"]
        assert found["nrmse"]["value"] == pytest.approx(expected[challenge], rel=1e-5)
        assert found["n_windows"] == len(rows)
        assert found["n_subjects"] == 2
        assert found["batch_size"] == 64
        training = study.table[(study.table["kind"] == kind) & study.table["split"].ne("test")][label].mean()
        floor = np.sqrt(np.mean((rows[label] - training) ** 2)) / np.std(rows[label].to_numpy())
        assert found["floors"]["training_mean"]["value"] == pytest.approx(floor)
        assert "age_sex" in found["floors"]
    overall = 0.3 * expected[1] + 0.7 * expected[2]
    assert content["overall"]["nrmse"]["value"] == pytest.approx(overall, rel=1e-5)
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    assert len(predictions) == 48
    run = mlflow.MlflowClient(f"sqlite:///{store.parent / 'mlflow.db'}").search_runs(["1"])[0]
    assert run.data.metrics["overall"] == pytest.approx(overall, rel=1e-5)
    assert run.data.metrics["c1/nrmse"] == pytest.approx(expected[1], rel=1e-5)
    assert "c2/floor/age_sex" in run.data.metrics
    assert run.data.metrics["c2/subject_nrmse"] == content["challenge_2"]["by_subject"]["nrmse"]["value"]


@pytest.mark.slow
def test_answers_that_depend_on_the_batch_are_asked_for_one_by_one(study, store, hand_made, tmp_path):
    zip = hand_made("self.offset + 1e3", "self.offset + len(X) + 1e3")
    score(zip, SETTINGS, index=study.index, store=store, output=tmp_path / "score.json")
    assert read_json(tmp_path / "score.json")["challenge_1"]["batch_size"] == 1
    assert pd.read_parquet(tmp_path / "predictions.parquet")["prediction"].between(2.5, 2.7).all()


@pytest.mark.slow
def test_a_single_test_subject_leaves_challenge_2_without_a_score_and_says_why(
    study, store, hand_made, tmp_path, capsys
):
    index = tmp_path / "windows" / "index.parquet"
    index.parent.mkdir()
    (tmp_path / "shards").symlink_to(study.shards)
    last = _test_rows(study, "crop")["subject"].iloc[-1]
    study.table[study.table["subject"] != last].to_parquet(index)
    score(hand_made(), SETTINGS, index=index, store=store, output=tmp_path / "score.json")
    content = read_json(tmp_path / "score.json")
    assert content["challenge_1"]["nrmse"]["value"] > 0
    assert content["challenge_2"]["nrmse"] == {"value": None, "low": None, "high": None}
    assert "no spread in 12 windows of 1 test subject" in content["challenge_2"]["reason"]
    assert content["overall"]["nrmse"]["value"] is None
    assert "challenge_2 has no score: the truth has no spread" in capsys.readouterr().out


def test_an_index_without_test_trials_is_a_clear_mistake(study, store, hand_made, tmp_path):
    index = tmp_path / "windows" / "index.parquet"
    index.parent.mkdir()
    study.table[study.table["split"] != "test"].to_parquet(index)
    with pytest.raises(UserError, match=r"no window is left for scoring challenge 1: .* 0 in split test"):
        score(hand_made(), SETTINGS, index=index, store=store, output=tmp_path / "score.json")


def test_a_subjects_average_counts_once_however_many_windows_it_has():
    part = pd.DataFrame(
        {
            "subject": ["a"] * 4 + ["b"] * 2 + ["c"] * 3,
            "truth": [1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 3.0, 3.0, 3.0],
            "prediction": [2.0, 2.0, 4.0, 4.0, 5.0, 3.0, 2.0, 3.0, 1.0],
            "floor:training_mean": 3.0,
        }
    )
    content = evaluate({1: part, 2: part}, resamples=100)["challenge_1"]
    truth, predicted = np.array([2.0, 5.0, 3.0]), np.array([3.0, 4.0, 2.0])
    expected = np.sqrt(np.mean((truth - predicted) ** 2)) / truth.std()
    assert content["by_subject"]["nrmse"]["value"] == pytest.approx(expected)
    floor = np.sqrt(np.mean((truth - 3) ** 2)) / truth.std()
    assert content["by_subject"]["floors"]["training_mean"]["value"] == pytest.approx(floor)
    assert content["nrmse"]["value"] != pytest.approx(expected)


def _predictions(random: np.random.Generator, n_subjects: int, *, skill: float) -> pd.DataFrame:
    truth = random.normal(size=10 * n_subjects)
    return pd.DataFrame(
        {
            "subject": np.repeat([f"s{i:02}" for i in range(n_subjects)], 10),
            "truth": truth,
            "prediction": skill * truth,
            "floor:training_mean": 0.0,
        }
    )


def test_differences_are_paired_and_the_overall_interval_draws_the_same_subjects():
    print("seed 30")
    random = np.random.default_rng(30)
    content = evaluate(
        {1: _predictions(random, 20, skill=0.3), 2: _predictions(random, 15, skill=0.1)}, resamples=400
    )
    difference = content["challenge_1"]["floors"]["training_mean"]["difference"]
    # Predictions are 0.3 of the truth: the error shrinks by just that in every resample.
    assert difference["value"] == pytest.approx(-0.3, abs=0.01)
    assert difference["high"] - difference["low"] < 0.05
    parts = [content[key]["nrmse"]["value"] for key in ("challenge_1", "challenge_2")]
    assert content["overall"]["nrmse"]["value"] == pytest.approx(0.3 * parts[0] + 0.7 * parts[1])
    assert content["overall"]["floors"]["training_mean"]["difference"]["high"] < 0
    assert content["challenge_2"]["n_subjects"] == 15


def test_a_submission_that_answers_the_training_mean_is_no_better_than_the_training_mean():
    """Its answers are of single precision and a little off: no difference, no sign, no star."""
    print("seed 31")
    random = np.random.default_rng(31)
    parts = {challenge: _predictions(random, 12, skill=0.0) for challenge in (1, 2)}
    for part in parts.values():
        part["truth"] += 1.59
        part["floor:training_mean"] = 1.6123456789
        part["prediction"] = part["unshrunk"] = part["floor:training_mean"].astype(np.float32).astype(float)
    content = evaluate(parts, resamples=400)
    for key in ("challenge_1", "challenge_2", "overall"):
        nothing = {"value": 0, "low": 0, "high": 0, "p": 1}
        assert content[key]["floors"]["training_mean"]["difference"] == nothing
        assert content[key]["constant"] is True
    table = score_table(content)
    cells = next(row for row in table.rows if row[0] == "minus training mean")
    assert cells[1:] == ["constant"] * 3
    assert content["challenge_1"]["r"]["value"] is None
    assert not any("*" in cell for row in table.rows for cell in row)
