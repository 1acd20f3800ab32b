"""No step writes something else than it was asked for: the wrong thing is refused, or cannot be said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch import nn

from cerebro.cli import main
from cerebro.config import EncoderSettings
from cerebro.data.card import random_encoder, write_phase_output
from cerebro.probes.feature_store import read_features
from cerebro.shards.store import open_shard

ARCHITECTURE = EncoderSettings(dim=16, depth=1, heads=2)
EYES = {"of": "interval", "column": "eyes", "classes": ["closed", "open"]}
WINDOWS = {"sets": ["eyes"], "labels": {"eyes": EYES}, "max_windows_per_subject": 2}
WITH_ENCODER = json.dumps({**WINDOWS, "encoder": ARCHITECTURE.model_dump(mode="json")})
WITHOUT = json.dumps(WINDOWS)


class Pretrained(nn.Module):
    """An encoder with something on top, as a phase writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = random_encoder(ARCHITECTURE, seed=7)
        self.head = nn.Linear(16, 1)


@pytest.fixture
def pretrain(tmp_path: Path) -> Path:
    """The folder of a phase named `pretrain`."""
    card = {"node": "pretrain", "kind": "pretrain", "lineage": ["pretrain"], "mlflow_run_id": "x"}
    write_phase_output(tmp_path / "pretrain", Pretrained(), card)
    return tmp_path / "pretrain"


def test_features_stand_under_the_name_of_what_was_measured(
    study: Any, tmp_path: Path, pretrain: Path
) -> None:
    found = {}
    sources = (("signal", WITHOUT), ("random", WITH_ENCODER), ("random-3", WITH_ENCODER), (pretrain, WITHOUT))
    for source, settings in sources:
        output = tmp_path / f"{Path(source).name}.npz"
        line = ["features", "--encoder", str(source), "--settings", settings, "--index", str(study.index)]
        assert main([*line, "--output", str(output)]) == 0
        origin, sets = read_features(output)
        found[origin["node"]] = sets["eyes"].values
    assert list(found) == ["signal", "random", "random-3", "pretrain"]
    widths = {node: values.shape[1] for node, values in found.items()}
    assert widths.pop("signal") not in widths.values()
    assert not np.allclose(found["random"], found["random-3"])


@pytest.mark.parametrize("step", ["features", "isc"])
@pytest.mark.parametrize(
    ("encoder", "with_encoder", "words"),
    [
        ("pretrain", False, "there is no folder pretrain; an encoder is the folder of a finished phase"),
        ("random", False, "there is no 'encoder', which says what 'random' is made of"),
        ("random--1", True, "'random--1' names no seed; write random, or random-1"),
        ("phases/contrast", True, "'encoder' has no effect on --encoder contrast"),
    ],
)
def test_an_encoder_and_settings_that_do_not_belong_together_are_refused(
    step: str, encoder: str, with_encoder: bool, words: str, commands: dict[str, Any], refused: Any
) -> None:
    settings = json.loads(commands[step].options["settings"])
    if with_encoder:
        settings["encoder"] = ARCHITECTURE.model_dump(mode="json")
    assert words in refused(commands[step].line(encoder=encoder, settings=json.dumps(settings)))
    assert not Path("out").exists()


def test_a_name_beside_the_encoder_cannot_be_said(commands: dict[str, Any], refused: Any) -> None:
    """Band power was written under a phase's name where its folder was forgotten."""
    for step in ("features", "isc"):
        assert "--encoder" in refused(commands[step].line(encoder=None, node="pretrain"))
        assert "--node" in refused(commands[step].line(node="pretrain"))


@pytest.mark.parametrize("group", ["mine-1", "mine", "hbn-0", "mine-0.npy", "Mine-0"])
def test_a_group_that_does_not_exist_writes_no_shard(
    group: str, commands: dict[str, Any], refused: Any
) -> None:
    outputs = {"output": f"out/{group}.npy", "table": f"out/{group}.parquet"}
    said = refused(commands["shard"].line(group=group, **outputs))
    assert f"there is no group '{group}'" in said
    assert not Path("out").exists()


def test_a_group_of_a_dataset_to_which_no_subject_hashes_is_an_empty_shard(
    commands: dict[str, Any], refused: Any
) -> None:
    settings = json.dumps(json.loads(commands["shard"].options["settings"]) | {"groups": {"mine": 2}})
    outputs = {"output": "out/mine-1.npy", "table": "out/mine-1.parquet", "settings": settings}
    assert main(commands["shard"].line(group="mine-1", **outputs)) == 0
    assert len(open_shard(Path("out/mine-1.npy"))) == 0
    outputs = {"output": "out/mine-2.npy", "table": "out/mine-2.parquet", "settings": settings}
    assert "there is no group" in refused(commands["shard"].line(group="mine-2", **outputs))


@pytest.mark.parametrize(
    "outputs",
    [
        {"output": "out/mine-1.npy", "table": "out/mine-1.parquet"},
        {"output": "out/mine-0.npy", "table": "out/mine-1.parquet"},
        {"output": "out/mine-0.npy", "table": "elsewhere/mine-0.parquet"},
    ],
)
def test_a_shard_has_the_name_of_its_group_and_its_table_beside_it(
    outputs: dict[str, str], commands: dict[str, Any], refused: Any
) -> None:
    assert "the outputs of group mine-0 are" in refused(commands["shard"].line(**outputs))


def test_an_index_is_written_where_its_shards_are_found_from(commands: dict[str, Any], refused: Any) -> None:
    """Readers look for them beside the index's folder."""
    said = refused(commands["windows"].line(output="elsewhere/windows/index.parquet"))
    assert "from " in said
    assert "where study/shards/mine-0.parquet is not" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"node": "third", "output": "out/third"}, "--settings are those of 'second', not of third"),
        ({"output": "out/other"}, "the folder of a phase has its name, second"),
        ({"parents": None}, "phase 'second' needs --parents init=FOLDER, of 'contrast'"),
        ({"parents": ["init=phases/reaction_time"]}, "holds 'reaction_time', not 'contrast'"),
        (
            {"parents": ["init=phases/contrast", "tokenizer=phases/reaction_time"]},
            "--parents tokenizer: phase 'second' has no tokenizer",
        ),
        ({"parents": ["init=phases/contrast", "init=phases/reaction_time"]}, "one key is given two folders"),
    ],
)
def test_a_phase_is_trained_under_its_name_from_the_parents_that_its_settings_name(
    changes: dict[str, Any], words: str, commands: dict[str, Any], refused: Any
) -> None:
    assert words in refused(commands["phase"].line(**changes))
    assert not Path("out").exists()


def test_the_simulation_is_read_where_a_dataset_has_no_roots_and_nowhere_else(
    commands: dict[str, Any], refused: Any
) -> None:
    assert "datasets.mine has no roots: --raw must say" in refused(commands["inventory"].line(raw=None))
    datasets = {"mine": {"reader": "files", "roots": ["study"]}}
    settings = json.dumps({"datasets": datasets, "excluded_subjects": []})
    assert "--raw study has no effect" in refused(commands["inventory"].line(settings=settings))


def test_a_check_of_no_phase_and_a_comparison_of_nobody_are_refused(
    commands: dict[str, Any], refused: Any
) -> None:
    assert "nothing to check" in refused(
        commands["check-windows"].line(settings='{"phases": {}, "labels": {}}')
    )
    settings = json.loads(commands["ablations"].options["settings"]) | {"lineups": []}
    assert "nothing to compare" in refused(commands["ablations"].line(settings=json.dumps(settings)))


def test_two_files_of_one_encoder_are_refused_where_one_would_take_the_others_place(
    commands: dict[str, Any], refused: Any
) -> None:
    for step, option in (("lineage", "probes"), ("summary", "probes"), ("summary", "isc")):
        (file,) = commands[step].options[option]
        Path("copy.json").write_text(Path(file).read_text())
        said = refused(commands[step].line(**{option: [file, "copy.json"]}))
        assert f"--{option}: {file} and copy.json are both of 'a'" in said


def test_results_that_stand_under_another_encoders_name_are_not_compared(
    commands: dict[str, Any], refused: Any
) -> None:
    Path("answers/a.json").write_text(json.dumps({"node": "b", "targets": {}, "embeddings": {}}))
    assert "answers/a.json holds the results of 'b', not of 'a'" in refused(commands["encoders"].line())


def test_answers_to_weigh_by_are_those_of_the_members(commands: dict[str, Any], refused: Any) -> None:
    Path("other.parquet").write_bytes(Path("contrast.parquet").read_bytes())
    line = commands["package"].line(validation=["contrast.parquet", "other.parquet"])
    assert "'other' answers no challenge here" in refused(line)
    both = {"challenge_1": ["phases/reaction_time", "phases/contrast"]}
    assert "the answers of 'reaction_time' are missing" in refused(commands["package"].line(**both))
    Path("again").mkdir()
    Path("again/contrast.parquet").write_bytes(Path("contrast.parquet").read_bytes())
    line = commands["package"].line(validation=["contrast.parquet", "again/contrast.parquet"])
    assert "two files are named 'contrast'" in refused(line)


def test_answers_that_are_missing_or_of_another_form_are_named(
    commands: dict[str, Any], refused: Any
) -> None:
    path = Path(commands["ablations"].options["predictions"]) / "test" / "a.parquet"
    pq.write_table(pa.Table.from_pandas(pd.DataFrame({"window": [1]})), path)
    assert f"{path} is not a file of answers: it has no column 'subject'" in refused(
        commands["ablations"].line()
    )
    path.unlink()
    assert f"there is no file {path}" in refused(commands["ablations"].line())
