"""Configurations that Snakemake itself would trip over: long lists, braces in paths, keys twice."""

import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pandas as pd
import pytest

LABELS = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "Cz")
MANY = [f"sub-NDAR{number:08d}" for number in range(9000)]


def write_edf(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).standard_normal((len(LABELS), 100 * 10)) * 20
    signals = [
        edfio.EdfSignal(channel, 100, label=label, physical_dimension="uV", physical_range=(-500, 500))
        for label, channel in zip(LABELS, noise, strict=True)
    ]
    edfio.Edf(signals, patient=edfio.Patient(birthdate=date(2010, 1, 1))).write(path)


@pytest.fixture
def named(empty: Any) -> tuple[Any, dict[str, Any]]:
    """A study of three files in a folder with braces in its name, and 9,000 names in each of its lists."""
    for subject in "abc":
        write_edf(empty.folder / "data" / "{x}" / "{phase, y}" / f"{subject}.edf")
    mine = {"reader": "files", "roots": ["data/{x}"], "groups": 1, "keep": ["a", "b", "c", *MANY]}
    tuh = {"reader": "files", "roots": ["data/{x}/{phase, y}"], "groups": 1, "exclude": MANY}
    overlay = {
        "datasets": {"hbn": mine, "tuh": tuh},
        "splits": {"excluded_subjects": MANY},
        "download": {"releases": ["R1"], "folder": "data/{x}", "subjects": MANY},
    }
    return empty, overlay


def test_nine_thousand_names_and_braces_in_roots_reach_the_steps(named: Any) -> None:
    study, overlay = named
    shard = "results/smoke/shards/hbn-0.npy"
    assert study.run(shard, overlay) == {"Finding every recording", "Preprocessing hbn-0"}
    found = pd.read_parquet(study.folder / "results/smoke/inventory/recordings.parquet")
    assert sorted(found["subject"]) == [*"aabbcc"]
    assert set(found["status"]) == {"ok"}
    assert study.snakemake(shard, overlay=overlay).stderr.count("Nothing to be done") == 1


def test_no_command_grows_with_names_and_groups(named: Any) -> None:
    """Linux takes 131,072 bytes as one argument, and the shell gets a command as one."""
    study, overlay = named
    mine = {**overlay["datasets"]["hbn"], "groups": 20}
    targets = ["download", "results/smoke/windows/audit.json"]
    done = study.snakemake(
        "--dry-run",
        "--printshellcmds",
        *targets,
        overlay={**overlay, "datasets": {**overlay["datasets"], "hbn": mine}},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    commands = re.findall(r"python -m cerebro.cli (\S+) (.*)", done.stdout + done.stderr)
    assert {step for step, _ in commands} == {"download", "inventory", "shard", "windows", "audit"}
    assert max(len(words) for _, words in commands) < 2000


def test_a_variant_that_does_not_fit_is_one_sentence(empty: Any) -> None:
    """It is found by an input function of the target `ablations`."""
    wrong = {"ablations": {"compare": ["wrong"], "variants": {"wrong": {"reaction_time": {"epoch": 1}}}}}
    done = empty.snakemake("--dry-run", "ablations", overlay=wrong)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    said = [line for line in done.stderr.splitlines() if "epoch" in line]
    assert len(said) == 1
    assert said[0].startswith("cerebro: ablations.variants.wrong: unknown key 'phases.reaction_time.epoch'")


def test_a_key_twice_in_an_overlay_stops_the_workflow_with_file_and_line(empty: Any) -> None:
    overlay = empty.folder / "twice.yaml"
    overlay.write_text("phases:\n  tokenizer: {epochs: 3}\n  tokenizer: {epochs: 4}\n")
    line = [*empty.command("--dry-run", "submission"), str(overlay)]  # configuration files come last
    done = subprocess.run(
        line, cwd=empty.repository, env=empty.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if not line.startswith(("Using ", "Config file "))]
    assert said == [
        f"cerebro: {overlay}: line 3: the key 'tokenizer' was written in line 2 already; keep one of them"
    ]
