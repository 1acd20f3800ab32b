"""The tables of encoders, from files as the steps write them."""

import json

import numpy as np
import pandas as pd
import pytest

from cerebro.report.encoders import tabulate_encoders
from cerebro.study.stages import Comparison

AGES = np.array([6.0, 9.0, 15.0, 11.0, 7.0, 8.0, 12.0, 14.0])


def write(folder, encoder, error, found, embedding="tokens"):
    frame = {
        "target": "age",
        "metric": "nrmse",
        "subject": list("abcdefgh"),
        "truth": AGES,
        "prediction": AGES + error,
        "floor": 10.0,
    }
    pd.DataFrame(frame).to_parquet(folder / f"{encoder}.parquet")
    measures = {"retrieval_top1": {"value": found, "chance": 0.05}, "isc": {"value": 0.1}}
    content = {"node": encoder, "embeddings": {embedding: {"test": measures}}}
    (folder / f"{encoder}.json").write_text(json.dumps(content))


def test_the_page_shows_scores_gains_variants_and_stimuli(tmp_path):
    for encoder, error, found in (
        ("random", 2, 0.05),
        ("random-1", 2, 0.07),
        ("one", 1, 0.2),
        ("one-1", 1, 0.4),
    ):
        write(tmp_path, encoder, error, found)
    write(tmp_path, "signal", 4, 0.25, "components")
    encoders = ("signal", "random", "random-1", "one", "one-1")
    tabulate_encoders(
        Comparison(
            {"signal": ["signal"] * 2, "random": ["random", "random-1"], "one": ["one", "one-1"]},
            {"one": "random"},
        ),
        Comparison({"full": ["one", "one-1"], "signal": ["random", "random-1"]}, {"signal": "full"}),
        probes={name: tmp_path / f"{name}.parquet" for name in encoders},
        isc={name: tmp_path / f"{name}.json" for name in encoders},
        resamples=100,
        output=tmp_path / "encoders.csv",
    )
    text = (tmp_path / "encoders.md").read_text()
    assert "| age | +50.0%\\* [+50.0%, +50.0%] |" in text
    assert "| signal | -100.0%\\* [-100.0%, -100.0%] |" in text
    assert "| one | 0.300 [0.200, 0.400] |" in text
    assert "| signal, no encoder | 0.250 [0.250, 0.250] |" in text  # a variant may have this name, too
    assert "| signal | 0.060 [0.050, 0.070] |" in text
    assert "| chance | 0.050 | 0.000 |" in text
    table = pd.read_csv(tmp_path / "encoders.csv")
    assert set(table["comparison"]) == {"phases", "signal", "variants"}
    assert len(table) == 8
    assert "one beside signal" in text
    beside = table[table["comparison"] == "signal"].set_index("row")
    expected = 1 - beside.loc["one", "value"] / beside.loc["signal", "value"]  # NRMSE: less is better
    assert beside.loc["one", "gain_value"] == pytest.approx(expected)
    assert beside.loc["one", "against"] == "signal"
    assert "age, NRMSE" in (tmp_path / "lineage.svg").read_text()


def test_a_study_in_which_no_probe_is_measurable_has_its_tables_all_the_same(tmp_path):
    for encoder in ("random", "one"):
        write(tmp_path, encoder, 1, 0.1)
        probes = pd.read_parquet(tmp_path / f"{encoder}.parquet")
        probes.iloc[:0].to_parquet(tmp_path / f"{encoder}.parquet")
    rows = {"random": ["random"], "one": ["one"]}
    tabulate_encoders(
        Comparison(rows, {"one": "random"}),
        Comparison(rows, {"one": "random"}),
        probes={name: tmp_path / f"{name}.parquet" for name in rows},
        isc={name: tmp_path / f"{name}.json" for name in rows},
        resamples=100,
        output=tmp_path / "encoders.csv",
    )
    text = (tmp_path / "encoders.md").read_text()
    assert "| one | 0.100 [0.100, 0.100] |" in text


def test_a_study_whose_people_met_no_stimulus_compares_none(tmp_path):
    write(tmp_path, "random", 1, 0.1)
    rows = Comparison({"random": ["random"]}, {})
    tabulate_encoders(
        rows,
        Comparison({}, {}),
        probes={"random": tmp_path / "random.parquet"},
        isc={},
        resamples=100,
        output=tmp_path / "encoders.csv",
    )
    text = (tmp_path / "encoders.md").read_text()
    assert "age, NRMSE" in text
    assert "stimulus" not in text
