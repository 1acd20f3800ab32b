"""Cost of the workflow when there is nothing to do, and of the start of a step."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Case, Tables

ROOT = Path(__file__).parents[1]
# Snakemake sleeps for 0.1 s before it touches the outputs of a job.
SNAKEMAKE = (
    "import sys, snakemake.cli, snakemake.executors.touch as touch; touch.Executor.SLEEPING_TIME = 0; "
    "sys.exit(snakemake.cli.main())"
)
BARE = """
rule all:
    input: expand("{{job}}.txt", job=range({n_jobs}))
rule job:
    output: "{{job}}.txt"
    shell: "touch {{output}}"
"""


def tables(folder: Path, *, small: bool) -> Tables:
    """One table of dry runs, two of starts."""
    name, overlay = ("smoke", ["--configfile", str(ROOT / "config/smoke.yaml")]) if small else ("demo", [])
    here, snakefile = ["--directory", str(folder)], folder / "Snakefile"
    study = [*here, f"results/{name}/tables/ablations.csv", *overlay]
    n_jobs = _pretend_finished(folder, study)
    snakefile.write_text(BARE.format(n_jobs=n_jobs))
    for job in range(n_jobs):
        (folder / f"{job}.txt").touch()
    bare = [*here, "--snakefile", str(snakefile), "--workflow-profile", "none"]
    return {
        f"`snakemake -n` where {n_jobs} jobs are finished, all ablations of {name}": [
            Case("ours", "this workflow", lambda: _nothing_to_do(study)),
            Case("limit", "as many jobs of one rule without settings and code", lambda: _nothing_to_do(bare)),
        ],
        "Start of a training": [
            Case("ours", "Phase 1b", _python("-c", "import cerebro.phases.run, cerebro.phases.pretrain")),
            Case("rival", "Lightning and braindecode", _python("-c", "import lightning, braindecode.models")),
            Case("limit", "torch", _python("-c", "import torch")),
        ],
        "Start of the command line": [
            Case("ours", "`cerebro --help`", _python("-m", "cerebro.cli", "--help")),
            Case("limit", "Python", _python("-c", "pass")),
        ],
    }


def _pretend_finished(folder: Path, study: list[str]) -> int:
    """Let Snakemake record that its rules made every promised file, all empty; return the number of jobs."""
    for line in _snakemake("--dry-run", "--forceall", "--summary", *study).splitlines():
        if line.startswith("results/"):
            path = folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    touched = _snakemake("--touch", "--forceall", *study)
    return int(re.findall(r"^(\d+) of \1 steps", touched, re.MULTILINE)[-1])


def _nothing_to_do(arguments: list[str]) -> None:
    said = _snakemake("--dry-run", *arguments)
    if "Nothing to be done" not in said:
        raise RuntimeError(f"there is something left to do: {said}")


def _snakemake(*arguments: str) -> str:
    return _run([sys.executable, "-c", SNAKEMAKE, "--cores", "1", *arguments])


def _python(*arguments: str) -> Callable[[], object]:
    return lambda: _run([sys.executable, *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stdout}")
    return done.stdout
