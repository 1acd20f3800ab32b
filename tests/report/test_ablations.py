"""The table of ablations from answers that are small enough to calculate by hand."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from cerebro.errors import UserError
from cerebro.report.ablations import tabulate
from cerebro.study.variants import Lineup
from cerebro.tracking import create_store

TRUTH = {
    1: np.tile([1.0, 2.0, 3.0, 5.0, 4.0, 3.0], 2),
    2: np.tile([-1.0, -1.0, 0.0, 0.0, 2.0, 2.0], 2),
}
SUBJECTS = [*"aabbccddeeff"]
ERRORS = {"rt": 0.5, "rt-1": 0.7, "rt-worse": 1.0, "rt-worse-1": 1.2, "ext": 1.0, "ext-1": 1.0}
"""What each node adds to the truth of every window."""
LINEUPS = [
    Lineup("full", 0, ("rt",), ("ext",), subject_share=1.0),
    Lineup("full", 1, ("rt-1",), ("ext-1",), subject_share=1.0),
    Lineup("worse", 0, ("rt-worse",), ("ext",), subject_share=0.5),
    Lineup("worse", 1, ("rt-worse-1",), ("ext-1",), subject_share=0.5),
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study without a run; MLflow takes seconds to create its tables."""
    folder = tmp_path_factory.mktemp("empty")
    create_store(name="study", output=folder / "tracking.json")
    return folder


@pytest.fixture
def study(empty: Path, tmp_path: Path) -> Path:
    shutil.copytree(empty, tmp_path, dirs_exist_ok=True)
    for node, error in ERRORS.items():
        truth = TRUTH[1 if node.startswith("rt") else 2]
        write(tmp_path / f"{node}.parquet", truth, truth + error)
    return tmp_path


def write(path: Path, truth: np.ndarray, prediction: np.ndarray, *, shrinkage: float = 1.0) -> None:
    """Answers of a node; unshrunk ones lie further from 3, in both directions."""
    frame = {"window": range(12), "subject": SUBJECTS, "truth": truth, "prediction": prediction}
    unshrunk = 3 + (prediction - 3) / shrinkage
    pd.DataFrame({**frame, "unshrunk": unshrunk}).to_parquet(path)


def table_of(study: Path) -> pd.DataFrame:
    tabulate(
        LINEUPS,
        predictions={node: study / f"{node}.parquet" for node in ERRORS},
        resamples=200,
        store=study / "tracking.json",
        output=study / "ablations.csv",
    )
    return pd.read_csv(study / "ablations.csv").set_index(["variant", "metric"])


def test_scores_and_differences_are_those_calculated_by_hand(study: Path) -> None:
    table = table_of(study)
    c1, c2 = (TRUTH[challenge].std() for challenge in (1, 2))
    assert table.loc[("full", "c1/nrmse"), "value"] == pytest.approx(0.6 / c1)
    assert table.loc[("worse", "c1/nrmse"), "value"] == pytest.approx(1.1 / c1)
    assert table.loc[("worse", "c1/nrmse"), "difference_value"] == pytest.approx(0.5 / c1)
    assert table.loc[("worse", "c2/nrmse"), "difference_value"] == 0
    assert table.loc[("worse", "overall"), "value"] == pytest.approx(0.3 * 1.1 / c1 + 0.7 * 1.0 / c2)
    assert table.loc[("full", "c1/nrmse"), "sd_over_seeds"] == pytest.approx(0.2 / c1 / np.sqrt(2))
    means = TRUTH[1].reshape(6, 2).mean(axis=1)
    assert table.loc[("full", "c1/subject_nrmse"), "value"] == pytest.approx(0.6 / means.std())
    assert pd.isna(table.loc[("full", "c1/nrmse"), "p"])


def test_a_clear_difference_is_marked_and_the_figure_is_drawn(study: Path) -> None:
    table = table_of(study)
    row = table.loc[("worse", "c1/nrmse")]
    assert 0 < row["difference_low"] <= row["difference_value"] <= row["difference_high"]
    assert row["p_corrected"] == row["p"] < 0.05
    text = (study / "ablations.md").read_text()
    assert "| worse |" in text
    assert "2 rows, 2 seeds each" in text
    assert (study / "forest.svg").read_text().lstrip().startswith("<?xml")


@pytest.mark.slow
def test_the_learning_curve_has_a_point_for_each_share(study: Path) -> None:
    table = table_of(study)
    assert table.loc[("worse", "overall"), "subject_share"] == 0.5
    assert table.loc[("full", "overall"), "subject_share"] == 1
    text = (study / "learning_curve.svg").read_text()
    assert "<!-- 50 -->" in text
    assert "<!-- 100 -->" in text


def test_mlflow_holds_a_run_per_variant_and_seed_from_which_the_table_can_be_rebuilt(study: Path) -> None:
    table = table_of(study)
    client = MlflowClient(f"sqlite:///{study / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    found = pd.DataFrame(
        [
            {**run.data.metrics, "variant": run.data.tags["cerebro.variant"]}
            for run in runs
            if run.data.tags["cerebro.kind"] == "ablation"
        ]
    )
    assert len(found) == len(LINEUPS)
    means = found.groupby("variant")["c1/nrmse"].mean()
    assert means["worse"] == pytest.approx(table.loc[("worse", "c1/nrmse"), "value"])


def test_the_answer_of_an_ensemble_is_the_weighted_mean_of_its_members(study: Path) -> None:
    """Errors of .5 and -1 everywhere: equally weighed -.25 remains, by validation subjects nothing."""
    signs = {"a": 0.5, "b": -1.0}
    for node, error in signs.items():
        frame = pd.read_parquet(study / "rt.parquet")
        frame["prediction"] = frame["truth"] + error
        frame.to_parquet(study / f"{node}.parquet")
        frame["subject"] = [*"vwxyyzvwxyyz"]
        (study / "validation").mkdir(exist_ok=True)
        frame.to_parquet(study / "validation" / f"{node}.parquet")
    tabulate(
        [
            LINEUPS[0],
            Lineup("mean", 0, ("a", "b"), ("ext",)),
            Lineup("fitted", 0, ("a", "b"), ("ext",), weights="validation"),
        ],
        predictions={node: study / f"{node}.parquet" for node in ("rt", "ext", "a", "b")},
        validation={node: study / "validation" / f"{node}.parquet" for node in signs},
        resamples=100,
        store=study / "tracking.json",
        output=study / "ablations.csv",
    )
    table = pd.read_csv(study / "ablations.csv").set_index(["variant", "metric"])
    assert table.loc[("mean", "c1/nrmse"), "value"] == pytest.approx(0.25 / TRUTH[1].std())
    assert table.loc[("fitted", "c1/nrmse"), "value"] == pytest.approx(0, abs=1e-9)
    client = MlflowClient(f"sqlite:///{study / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    tags = [run.data.tags for run in runs if run.data.tags.get("cerebro.variant") == "mean"]
    assert [(tag["cerebro.challenge_1"], tag["cerebro.challenge_2"]) for tag in tags] == [("a, b", "ext")]


def test_smoothing_averages_answers_to_challenge_2_and_no_others(study: Path) -> None:
    """In a recording of two windows the mean over three is that of both."""
    for node, challenge in (("rt", 1), ("ext", 2)):
        frame = pd.read_parquet(study / f"{node}.parquet").assign(recording=SUBJECTS, onset=[0.0, 2.0] * 6)
        frame["prediction"] = TRUTH[challenge] + np.array([1.0, 0.0] * 6)
        frame.to_parquet(study / f"{node}.parquet")
    tabulate(
        [LINEUPS[0], Lineup("smoothed", 0, ("rt",), ("ext",), smooth_windows=3)],
        predictions={node: study / f"{node}.parquet" for node in ("rt", "ext")},
        resamples=100,
        store=study / "tracking.json",
        output=study / "ablations.csv",
    )
    table = pd.read_csv(study / "ablations.csv").set_index(["variant", "metric"])
    assert table.loc[("smoothed", "c1/nrmse"), "difference_value"] == 0
    assert table.loc[("full", "c2/nrmse"), "value"] == pytest.approx(np.sqrt(0.5) / TRUTH[2].std())
    assert table.loc[("smoothed", "c2/nrmse"), "value"] == pytest.approx(0.5 / TRUTH[2].std())


def test_answers_to_other_windows_are_refused(study: Path) -> None:
    frame = pd.read_parquet(study / "rt-worse.parquet").assign(window=range(1, 13))
    frame.to_parquet(study / "rt-worse.parquet")
    with pytest.raises(UserError, match="challenge 1: rt and rt-worse answered different windows"):
        table_of(study)


def test_every_variant_stands_beside_the_training_mean_and_a_gain_is_a_share_of_where_one_starts(
    study: Path,
) -> None:
    lineups = [*LINEUPS, *(Lineup("mean", seed, ("rt-worse",), ("ext",)) for seed in (0, 1))]
    tabulate(
        lineups,
        predictions={node: study / f"{node}.parquet" for node in ERRORS},
        resamples=200,
        store=study / "tracking.json",
        output=study / "ablations.csv",
    )
    table = pd.read_csv(study / "ablations.csv").set_index(["variant", "metric"])
    c1 = TRUTH[1].std()
    assert table.at[("full", "c1/nrmse"), "minus_mean_value"] == pytest.approx(-0.4 / c1)  # .6 and 1.0
    assert table.at[("worse", "c1/nrmse"), "minus_mean_value"] == pytest.approx(0.1 / c1)  # 1.1 and 1.0
    assert pd.isna(table.at[("mean", "c1/nrmse"), "minus_mean_value"])
    assert table.at[("worse", "c1/nrmse"), "full_gain_value"] == pytest.approx(1 - 0.6 / 1.1)
    assert table.at[("mean", "c1/nrmse"), "full_gain_value"] == pytest.approx(0.4)
    text = (study / "ablations.md").read_text()
    assert "## Against the training mean" in text
    assert "| full | -" in text[text.index("## Against") :]


def test_the_head_s_own_answers_are_scored_beside_shrunk_ones(study: Path) -> None:
    """Shrunk to a half towards 3, answers differ from the truth; unshrunk, they are it."""
    write(study / "rt.parquet", TRUTH[1], 3 + (TRUTH[1] - 3) / 2, shrinkage=0.5)
    tabulate(
        [LINEUPS[0], Lineup("other", 0, ("rt-1",), ("ext",))],
        predictions={node: study / f"{node}.parquet" for node in ("rt", "rt-1", "ext")},
        resamples=100,
        store=study / "tracking.json",
        output=study / "ablations.csv",
    )
    table = pd.read_csv(study / "ablations.csv").set_index(["variant", "metric"])
    assert list(dict.fromkeys(table.index.get_level_values("metric")))[:4] == [
        "c1/unshrunk_nrmse",
        "c1/unshrunk_r",
        "c1/unshrunk_r_within",
        "c1/nrmse",
    ]
    assert table.at[("full", "c1/unshrunk_nrmse"), "value"] == pytest.approx(0)
    assert table.at[("full", "c1/unshrunk_r"), "value"] == pytest.approx(1)
    assert table.at[("full", "c1/unshrunk_r_within"), "value"] == pytest.approx(1)
    deviations = TRUTH[1] - 3
    assert table.at[("full", "c1/nrmse"), "value"] == pytest.approx(
        np.sqrt(np.mean((deviations / 2) ** 2)) / TRUTH[1].std()
    )
    assert table.at[("full", "overall/unshrunk"), "value"] == pytest.approx(0.7 / TRUTH[2].std())
    assert ("full", "c2/unshrunk_r_within") not in table.index
    text = (study / "ablations.md").read_text()
    header = next(line for line in text.splitlines() if line.startswith("| variant"))
    assert header.startswith("| variant | unshrunk NRMSE | full better by | unshrunk r |")


def test_constants_are_called_so_and_rounding_makes_no_difference(study: Path) -> None:
    """Two constants that differ by single precision: no sign, no star, and a word in place of +0.0 %."""
    constant = np.full(12, 3.1)
    for node, values in (
        ("rt", constant),
        ("same", constant.astype(np.float32).astype(float)),
        ("rt-1", TRUTH[1] + 0.5),
    ):
        write(study / f"{node}.parquet", TRUTH[1], values)
    tabulate(
        [
            *(Lineup("full", seed, ("rt",), ("ext",)) for seed in (0, 1)),
            *(Lineup("mean", seed, ("same",), ("ext",)) for seed in (0, 1)),
            Lineup("mixed", 0, ("rt",), ("ext",)),
            Lineup("mixed", 1, ("rt-1",), ("ext",)),
        ],
        predictions={node: study / f"{node}.parquet" for node in ("rt", "same", "rt-1", "ext")},
        resamples=200,
        store=study / "tracking.json",
        output=study / "ablations.csv",
    )
    table = pd.read_csv(study / "ablations.csv").set_index(["variant", "metric"])
    row = table.loc[("mean", "c1/nrmse")]
    assert row[["difference_value", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert row["p"] == 1
    assert table["constant_seeds"].loc[[("full", "c1/nrmse"), ("mixed", "c1/nrmse")]].tolist() == [2, 1]
    first = (study / "ablations.md").read_text().partition("## Ablations: Challenge 2")[0]
    rows = {line.split(" | ")[0].strip("| "): line for line in first.splitlines() if line.startswith("| ")}
    cells = rows["mean"].split(" | ")
    assert cells[1].endswith("constant")
    assert cells[2:5] == ["constant"] * 3
    assert "*" not in rows["mean"]
    assert "1 of 2 constant" in rows["mixed"]
    assert "constant" not in rows["mixed"].split(" | ")[2]
