"""The command line: what a pasted command needs, and what a broken argument says."""

import json
from pathlib import Path
from typing import Any

import pytest

from cerebro.cli import main, parser


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CEREBRO_COMPUTE", "CEREBRO_NEEDED_WINDOWS"):
        monkeypatch.delenv(name, raising=False)


def test_devices_come_from_the_option_else_the_environment_else_the_defaults(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tracking.json").write_text('{"database": "mlflow.db", "experiment_id": "1"}')
    phase = ["phase", "--node", "tokenizer", "--settings", "{}", "--index", str(study.index)]
    phase += ["--tracking", str(tmp_path / "tracking.json"), "--state", str(tmp_path / "state")]
    phase += ["--output", str(tmp_path / "tokenizer")]
    assert parser().parse_args(phase).compute == {}
    monkeypatch.setenv("CEREBRO_COMPUTE", '{"workers": 3}')
    assert parser().parse_args(phase).compute == {"workers": 3}
    assert parser().parse_args([*phase, "--compute", '{"workers": 1}']).compute == {"workers": 1}


@pytest.mark.parametrize("text", ['{"kind": ', "nowhere.json", ""])
def test_settings_that_are_no_json_are_named_without_a_traceback(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["simulate", "--settings", text, "--output", str(tmp_path / "simulation.json")])
    assert stopped.value.code == 2
    assert "--settings: neither JSON text nor the path of a JSON file" in capsys.readouterr().err


def test_a_mistake_is_one_sentence_and_a_failed_step(
    study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check looks at its own phase, and by the environment at those that a run comes to."""
    own = '{"phases": {"tokenizer": {"kind": "tokenizer"}}, "labels": {}}'
    command = ["check-windows", "--index", str(study.index), "--output", str(tmp_path / "check.json")]
    assert main([*command, "--settings", own]) == 0
    pretrain = {"kind": "pretrain", "tokenizer": "tokenizer", "mix": {"lemon": 1.0}}
    monkeypatch.setenv("CEREBRO_NEEDED_WINDOWS", json.dumps({"phases": {"pretrain": pretrain}, "labels": {}}))
    assert main([*command, "--settings", own]) == 1
    error = capsys.readouterr().err
    assert error.startswith("cerebro check-windows: no window is left for phase 'pretrain'")
    assert error.count("\n") == 1
