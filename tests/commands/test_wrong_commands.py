"""A wrong command gets one sentence before its step begins; a fault of the program keeps its traceback."""

import argparse
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from cerebro.cli import main, parser

RULES = Path(__file__).parents[2] / "workflow" / "rules"
READS = {
    "inventory": ["raw"],
    "shard": ["inventory"],
    "windows": ["inventory", "shards"],
    "audit": ["index", "inventory", "shards"],
    "check-windows": ["index"],
    "phase": ["index", "tracking"],
    "features": ["encoder", "index"],
    "probe": ["features", "index", "tracking"],
    "lineage": ["probes"],
    "adapters": ["index", "tracking"],
    "isc": ["encoder", "index", "tracking"],
    "encoders": ["probes", "isc"],
    "package": ["challenge_1", "challenge_2", "validation"],
    "preflight": ["zip"],
    "score": ["zip", "index", "tracking"],
    "predict": ["phase", "index"],
    "baseline": ["index"],
    "oracle": ["marker", "index"],
    "probe-table": ["probes"],
    "score-phase": ["answers", "index", "tracking"],
    "ablations": ["predictions", "tracking"],
    "summary": ["score", "probes", "isc", "phases", "windows"],
}
WRITES = {
    "download": ["log"],
    **{step: ["output"] for step in READS},
    **{step: ["output"] for step in ("simulate", "track")},
    "shard": ["output", "table"],
    "windows": ["output", "summary"],
    "audit": ["output", "masks"],
    "adapters": ["output", "table"],
    "phase": ["output", "state"],
}
BY_HAND = ("check", "init")
"""Commands that no rule runs."""
INPUTS = [(step, option) for step, options in READS.items() for option in options]
FILES = [
    (step, option)
    for step, option in INPUTS
    if step != "encoders" and option not in ("raw", "predictions")  # folders, of which some files are read
]
OUTPUTS = [(step, option) for step, options in WRITES.items() for option in options]
SETTINGS = [step for step in WRITES if step not in {"track", "lineage", "package", "preflight"}]
SETTINGS = [step for step in SETTINGS if step not in {"predict", "oracle", "summary", "probe-table"}]


def first(value: Any) -> Path:
    return Path(value[0] if isinstance(value, list) else value)


def test_the_table_of_inputs_and_outputs_is_that_of_the_program(commands: dict[str, Any]) -> None:
    """Every step has its right command here, and every path that it takes is tried below."""
    (steps,) = (
        action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    assert set(steps) == {*commands, *BY_HAND}
    for step, command in steps.items():
        if step in BY_HAND:
            continue
        assert set(WRITES.get(step, [])) == set(command.outputs)
        options = set(commands[step].options)
        paths = options - {"settings", "group", "node", "name", "split", "target", "parents"}
        assert paths - set(command.outputs) == set(READS.get(step, []))


def test_no_list_that_grows_with_the_study_stands_on_a_command_line() -> None:
    """Linux takes 128 KiB; a line of a file is a word of its own, spaces and all."""
    rules = "".join(path.read_text() for path in RULES.glob("*.smk"))
    (steps,) = (
        action.choices for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    options = (option for step in steps.values() for option in step._actions if option.option_strings)
    lists = {option.option_strings[0] for option in options if option.nargs in ("+", "*")} - {"--parents"}
    assert {"--shards", "--probes", "--isc", "--phases", "--challenge-1", "--validation"} <= lists
    folders = ("--probes {params.probes:q}", "--isc {params.isc:q}")  # of `encoders`, which takes one each
    for folder in folders:
        rules = rules.replace(folder, "")
    assert [option for option in lists if f"{option} {{" in rules] == []
    assert "cli package @{" in rules


def damage(path: Path) -> None:
    """Write zeros into the pages of a table; its end, which says what is in it, stays whole."""
    content = bytearray(path.read_bytes())
    pages = slice(4, len(content) - 8 - int.from_bytes(content[-8:-4], "little"))
    content[pages] = bytes(len(content[pages]))
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("step", "broken"),
    [("check-windows", "study/windows/index.parquet"), ("windows", "study/inventory.parquet")],
)
def test_a_damaged_page_of_a_table_gets_the_file_and_the_command_that_makes_it_again(
    step: str, broken: str, commands: dict[str, Any], refused: Any
) -> None:
    texts = [f"{broken}-{number}" for number in range(100)]
    pq.write_table(pa.table(dict.fromkeys(pq.read_schema(broken).names, texts)), broken)
    damage(Path(broken))
    said = refused(commands[step].line())
    assert f": {broken} is damaged (" in said
    assert f"make it again with: snakemake --cores 8 --force {broken}, with the study's" in said


def test_a_damaged_table_of_a_shard_is_found_behind_its_index(
    study: Any, tmp_path: Path, refused: Any
) -> None:
    for part in ("windows", "shards"):
        shutil.copytree(study.root / part, tmp_path / part)
    damage(tmp_path / "shards" / "hbn-0.parquet")
    line = ["features", "--encoder", "signal", "--index", str(tmp_path / "windows" / "index.parquet")]
    line += ["--settings", json.dumps({"sets": ["eyes"], "labels": {}, "max_windows_per_subject": 2})]
    said = refused([*line, "--output", str(tmp_path / "features.npz")])
    assert f"{tmp_path}/shards/hbn-0.parquet is damaged (" in said


@pytest.mark.parametrize("step", WRITES)
def test_a_right_command_line_is_one(step: str, commands: dict[str, Any]) -> None:
    parser().parse_args(commands[step].line())


@pytest.mark.parametrize(("step", "option"), INPUTS)
@pytest.mark.parametrize("wrong", ["", "nowhere", "a file with a\nline break"])
def test_an_input_that_is_not_there(
    step: str, option: str, wrong: str, commands: dict[str, Any], refused: Any
) -> None:
    said = refused(commands[step].line(**{option: wrong}))
    assert f"--{option.replace('_', '-')}: " in said
    assert not Path("out").exists()


@pytest.mark.parametrize(("step", "option"), INPUTS)
def test_a_file_where_a_folder_is_expected_and_the_reverse(
    step: str, option: str, commands: dict[str, Any], refused: Any
) -> None:
    is_folder = first(commands[step].options[option]).is_dir()
    Path("empty").mkdir()
    said = refused(commands[step].line(**{option: "tracking.json" if is_folder else "empty"}))
    assert ("tracking.json" if is_folder else "empty") in said
    assert not Path("out").exists()


@pytest.mark.parametrize(("step", "option"), FILES)
@pytest.mark.parametrize("damage", ["half", "nothing", "noise", "latin-1", "another kind"])
def test_an_input_that_is_broken_or_another_file(
    step: str, option: str, damage: str, commands: dict[str, Any], refused: Any
) -> None:
    right = first(commands[step].options[option])
    broken = right / "encoder.safetensors" if right.is_dir() else right
    content = broken.read_bytes()
    broken.write_bytes(
        {
            "half": content[: len(content) // 2],
            "nothing": b"",
            "noise": os.urandom(200),
            "latin-1": "Universität".encode("latin-1"),
            "another kind": b'{"other": 1}',
        }[damage]
    )
    said = refused(commands[step].line())
    assert broken.name in said
    assert not Path("out").exists()


@pytest.mark.parametrize(("step", "option"), OUTPUTS)
def test_an_output_that_cannot_be_written(
    step: str, option: str, commands: dict[str, Any], refused: Any
) -> None:
    right = Path(commands[step].options[option])
    suffix = right.suffix
    Path(f"there{suffix}").mkdir() if suffix else Path("there").touch()
    below_a_file = Path("tracking.json") / right.name
    for wrong in ("", f"there{suffix}", str(below_a_file)):
        assert f"--{option}: " in refused(commands[step].line(**{option: wrong}))


@pytest.mark.parametrize("step", [step for step in WRITES if step not in ("download", "phase")])
def test_an_output_with_the_suffix_of_another_kind(step: str, commands: dict[str, Any], refused: Any) -> None:
    """`probe` would have written its JSON over its own table."""
    assert "must end in" in refused(commands[step].line(output="out/file.dat"))


NO_SETTINGS = ["", "[]", "{}", '{"x": ', '{"other": 1}', "nowhere.json", ".", "latin.json", "null", "3"]


@pytest.mark.parametrize(
    ("step", "wrong"),
    [(step, wrong) for step in SETTINGS for wrong in NO_SETTINGS],
)
def test_settings_that_are_none(step: str, wrong: str, commands: dict[str, Any], refused: Any) -> None:
    Path("latin.json").write_bytes('{"x": "Universität"}'.encode("latin-1"))
    assert "--settings" in refused(commands[step].line(settings=wrong))
    assert not Path("out").exists()


@pytest.mark.parametrize("step", SETTINGS)
def test_a_section_of_another_type_or_missing_is_named(
    step: str, commands: dict[str, Any], refused: Any
) -> None:
    right = json.loads(commands[step].options["settings"])
    for key in right:
        assert key in refused(commands[step].line(settings=json.dumps({**right, key: object.__name__})))
        if step != "simulate":
            less = {name: part for name, part in right.items() if name != key}
            assert key in refused(commands[step].line(settings=json.dumps(less)))


WRONG = {
    "no command": ([], "required: command"),
    "a command that is none": (["shards"], "invalid choice: 'shards'"),
    "an option that is none": (["track", "--name", "x", "--output", "t.json", "--nme", "y"], "--nme"),
    "an option cut short": (["track", "--name", "x", "--outp", "t.json"], "--output"),
    "a split that is none": (["predict", "--split", "tests"], "'tests'"),
    "a target that is none": (["oracle", "--target", ""], "--target"),
    "a list of arguments that is not there": (["windows", "@nowhere"], "nowhere"),
    "no configuration": (["check", "nowhere.yaml"], "there is no configuration nowhere.yaml"),
    "a folder for a configuration": (["check", "."], "."),
    "an empty configuration": (["check", ""], "there is no configuration"),
}


@pytest.mark.parametrize(("line", "words"), WRONG.values(), ids=list(WRONG))
def test_a_line_that_no_command_takes(
    line: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(line)
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr().err
    assert code in (1, 2)
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("threads", ["0", "-1", "two", "", "1.5"])
@pytest.mark.parametrize("step", ["simulate", "inventory"])
def test_threads_that_are_no_number(step: str, threads: str, commands: dict[str, Any], refused: Any) -> None:
    assert "--threads" in refused([*commands[step].line(), f"--threads={threads}"])


@pytest.mark.parametrize("step", WRITES)
def test_an_option_that_is_given_twice(step: str, commands: dict[str, Any], refused: Any) -> None:
    line = commands[step].line()
    option = next(word for word in line if word.startswith("--"))
    assert f"{option}: is given twice" in refused([*line, option, line[line.index(option) + 1]])


def test_a_file_that_is_named_twice(commands: dict[str, Any], refused: Any) -> None:
    for step, option in (
        ("windows", "shards"),
        ("audit", "shards"),
        ("lineage", "probes"),
        ("summary", "isc"),
    ):
        twice = 2 * commands[step].options[option]
        assert f"--{option}: {twice[0]} is named twice" in refused(commands[step].line(**{option: twice}))


def test_an_output_that_would_overwrite_an_input_or_another_output(
    commands: dict[str, Any], refused: Any
) -> None:
    index = commands["predict"].options["index"]
    assert "--output and --index are both" in refused(commands["predict"].line(output=index))
    assert "name different files" in refused(commands["score"].line(output="./tracking.json"))


def test_a_checkpoint_of_a_phase_that_kept_none(commands: dict[str, Any], refused: Any) -> None:
    assert "there is no file" in refused(commands["features"].line(encoder="phases/contrast@2"))
    save_file({"1.weight": np.zeros(8)}, "phases/contrast/checkpoints.safetensors")
    assert "holds no checkpoint 2, but 1" in refused(commands["features"].line(encoder="phases/contrast@2"))


@pytest.mark.parametrize("name", ["reaction_time", "pretrain", "random-x", "phases"])
def test_an_encoder_that_is_none(name: str, commands: dict[str, Any], refused: Any) -> None:
    for step in ("features", "isc"):
        assert name in refused(commands[step].line(encoder=name))


@pytest.mark.parametrize("text", ["init", "=phases/contrast", "init=", "init=nowhere", "init=answers"])
def test_parents_that_are_none(text: str, commands: dict[str, Any], refused: Any) -> None:
    assert "--parents: " in refused(commands["phase"].line(parents=[text]))


@pytest.mark.parametrize("step", ["phase", "features", "isc", "adapters", "score", "predict", "baseline"])
def test_an_index_that_was_moved_away_from_its_shards(
    step: str, commands: dict[str, Any], refused: Any
) -> None:
    moved = Path("moved/index.parquet")
    moved.parent.mkdir()
    schema = pq.read_schema(commands[step].options["index"])
    pq.write_table(pa.Table.from_pylist([{"shard": "mine-0"}], schema=schema), moved)
    said = refused(commands[step].line(index=moved))
    assert "moved/index.parquet points into the shard shards/mine-0.npy, which is not there" in said


def test_a_zip_with_a_module_that_is_no_utf8(commands: dict[str, Any], refused: Any) -> None:
    with zipfile.ZipFile("submission.zip", "w") as archive:
        archive.writestr("submission.py", "# Universität\n".encode("latin-1"))
    said = refused(commands["preflight"].line())
    assert "submission.py holds letters that are no UTF-8" in said


def test_a_zip_whose_member_is_broken(commands: dict[str, Any], refused: Any) -> None:
    content = bytearray(Path("submission.zip").read_bytes())
    content[content.index(b"class")] ^= 255
    Path("submission.zip").write_bytes(content)
    for step in ("preflight", "score"):
        assert "submission.py does not match its checksum" in refused(commands[step].line())


def test_a_fault_of_the_program_keeps_its_traceback(
    commands: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import cerebro.report.lineage

    def broken(*arguments: object, **options: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(cerebro.report.lineage, "draw_lineages", broken)
    with pytest.raises(KeyError):
        main(commands["lineage"].line())
    shutil.rmtree("out", ignore_errors=True)
