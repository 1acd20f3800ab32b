"""`make clean` removes what the pipeline made, all of it, and nothing else."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def written() -> set[str]:
    """What stands below results/<name>/ in any rule: folders, and files of the study itself."""
    rules = [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    found = {name for file in rules for name in re.findall(r'f"\{R\}/([\w.]+)', file.read_text())}
    assert {"shards", "isc", "summary.md", "tracking.json"} <= found
    return found


def test_clean_leaves_nothing_that_a_rule_wrote_and_everything_else(tmp_path):
    study = tmp_path / "results" / "demo"
    for name in (*written(), "notes"):
        path = study / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if "." in name else path.mkdir()
    subprocess.run(["make", "-f", ROOT / "Makefile", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in study.iterdir()] == ["notes"]
    (study / "notes").rmdir()
    subprocess.run(["make", "-f", ROOT / "Makefile", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert not (tmp_path / "results").exists()
