"""`make clean` removes what the pipeline made, all of it, and nothing else."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def written() -> set[str]:
    """What stands below results/<name>/ in any rule: folders, and files of the study itself."""
    rules = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    found = {name for file in rules for name in re.findall(r'f"\{R\}/([\w.]+)', file.read_text())}
    assert {"shards", "isc", "summary.md", "tracking.json"} <= found
    return found


def clean(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-f", ROOT / "Makefile", "clean", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_clean_leaves_nothing_that_a_rule_wrote_and_everything_else(tmp_path):
    study = tmp_path / "results" / "demo"
    aside = ("mlflow.db", "mlflow.db-wal", "mlflow.db.broken-1", "mlflow.db.broken-1-wal", "unsent")
    for name in (*written(), *aside, "notes"):
        path = study / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if "." in name else path.mkdir()
    assert clean(tmp_path).returncode == 0
    assert [path.name for path in study.iterdir()] == ["notes"]
    (study / "notes").rmdir()
    assert clean(tmp_path).returncode == 0
    assert not (tmp_path / "results").exists()


NO_NAMES = ["", ".", "..", "../..", "/", "a/b", "a b", "demo /", "demo other", "*", "-rf"]
NO_NAMES += ["a'b", 'a"b', "a;b", "a`b"]


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("target", ["clean", "ui"])
def test_what_is_no_name_of_a_study_is_refused_in_one_sentence(tmp_path, target, name):
    """And nothing is removed, wherever such a name would lead."""
    folder = tmp_path / "a" / "b"
    for place in (folder, folder / "results", folder / "results" / "demo", tmp_path, tmp_path / "a"):
        (place / "shards").mkdir(parents=True)
        (place / "summary.md").touch()
    before = sorted(tmp_path.rglob("*"))
    ready = ["VENV=.", "READY="] if target == "ui" else []
    command = ["make", "--no-print-directory", "-f", ROOT / "Makefile", target, f"NAME={name}", *ready]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith(f"make: NAME={name} is no name of a study;")
    assert done.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_clean_of_a_study_that_is_not_there_removes_nothing_around_it(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "results" / "demo").mkdir(parents=True)
    (tmp_path / "results" / "demo" / "summary.md").touch()
    assert clean(tmp_path, "NAME=other").returncode == 0
    assert (tmp_path / "shards").exists()
    assert (tmp_path / "results" / "demo" / "summary.md").exists()
