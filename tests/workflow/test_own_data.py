"""docs/own_data.md is a walk from a folder to a table of probes; here it is walked."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "own_data.md"


@pytest.fixture(scope="module")
def walked(
    tmp_path_factory: pytest.TempPathFactory, write_own_study: Callable[..., Path]
) -> tuple[Path, list[subprocess.CompletedProcess[str]]]:
    """A folder with the page's dataset in which its commands ran, one after another."""
    folder = tmp_path_factory.mktemp("walk")
    write_own_study(folder / "data" / "rest")
    for name in ("Snakefile", "workflow", "config", "src", "envs"):
        (folder / name).symlink_to(ROOT / name)
    bin_folder = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    commands = re.findall(r"^```bash\n(.*?)```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    done = []
    for command in commands:
        done.append(
            subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        )
        assert done[-1].returncode == 0, command + done[-1].stdout[-4000:] + done[-1].stderr[-4000:]
    return folder, done


def test_the_walk_begins_with_init_and_check_and_ends_with_probes(walked) -> None:
    folder, done = walked
    assert [" ".join(one.args[-1].split()[:2]) for one in done] == [
        "cerebro init",
        "cerebro check",
        "snakemake --cores",
    ]
    assert "Nothing stands in the way of a run." in done[1].stdout
    assert (folder / "results" / "rest" / "probes" / "contrast.json").is_file()


def test_the_table_of_probes_holds_every_label_that_init_found_and_every_encoder(walked) -> None:
    folder, _ = walked
    table = (folder / "results" / "rest" / "probes" / "table.md").read_text()
    for label in ("age", "group", "state", "task", "response time", "identity"):
        assert label in table
    for encoder in ("signal", "covariance", "random", "tokenizer", "pretrain", "contrast"):
        assert f"| {encoder} |" in table


def test_encoders_read_the_state_that_was_put_into_the_signals(walked) -> None:
    import json

    folder, _ = walked
    found = json.loads((folder / "results" / "rest" / "probes" / "signal.json").read_text())["targets"]
    assert found["state"]["metrics"]["balanced_accuracy"]["low"] > 0.6
