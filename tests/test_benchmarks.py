import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IN_PROCESS = ("scanning", "preprocessing", "batches", "adapters", "masked_step", "bootstrap")


@pytest.mark.slow
def test_every_benchmark_still_runs_and_compares_itself_with_a_rival_and_a_limit() -> None:
    """At tiny sizes, where no time means anything; `workflow` starts many processes and is left out."""
    command = [sys.executable, "-m", "benchmarks", "--small", *IN_PROCESS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tables = done.stdout.split("\n### ")[1:]
    assert len(tables) == 11
    for table in tables:
        assert [role for role in ("ours", "rival", "limit") if f"\n| {role} | " not in table] == [], table
