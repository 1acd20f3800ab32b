"""Small parts of the Snakefile: layers, names as patterns, mistakes that are noticed early, begin and end."""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cerebro.config import layers_below, load_config
from cerebro.config.files import check_files
from cerebro.plan import Plan
from cerebro.plan.mistakes import or_stop
from cerebro.provenance import installed_otherwise
from cerebro.running.instance import clear_stale_lock, record_instance
from cerebro.tracking import describe_unsent

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def layers(config: Mapping[str, Any], workflow: "Workflow") -> list[Path]:
    """The files between `base.yaml` and the study's own."""
    from snakemake.common.configfile import load_configfile

    def read(path: Path) -> Mapping[str, Any]:
        check_files([path])
        content: Mapping[str, Any] = load_configfile(path)
        return content

    return or_stop(lambda: layers_below(config, Path(workflow.basedir) / "config", read))


def planned(config: Mapping[str, Any], workflow: "Workflow", source: str) -> Plan:
    """The study's plan, once its files are seen to be sound; sets what every job inherits."""
    or_stop(lambda: check_files(workflow.configfiles))
    plan = or_stop(lambda: Plan(load_config(config)))
    if workflow.is_main_process:
        or_stop(lambda: clear_stale_lock(Path.cwd(), plan.results))
    os.environ.update(_environment(plan, source))
    return plan


def one_of(names: Iterable[str]) -> str:
    """Return a regular expression that matches these names and nothing else: a dot is a dot.

    No name has a file called `-`: it stands where there are none, since nothing would match everything.
    """
    return "|".join(map(re.escape, names)) or "-"


def _environment(plan: Plan, source: str) -> dict[str, str]:
    """What every job inherits; it never re-runs a step.

    OpenMP's threads sleep while they wait for one another: where other jobs hold the cores, waiting in a loop
    made a training five times slower.
    """
    # Features and scores take a GPU where they see one.
    unseen = {"CUDA_VISIBLE_DEVICES": ""} if plan.config.compute.accelerator == "cpu" else {}
    return unseen | {
        "CEREBRO_COMPUTE": plan.compute_settings(),
        "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")])),
        "OMP_WAIT_POLICY": "passive",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def begin(plan: Plan, workflow: "Workflow") -> None:
    """Write the files that steps are handed, and say what is installed otherwise than the lock file says.

    Among them are the phases that the run comes to: each check of windows looks at all of these, so that no
    training starts when a later one has none, and at no other.
    """
    record_instance(Path.cwd(), plan.results)
    phases = sorted({job.wildcards.phase for job in workflow.dag.jobs if job.rule.name == "phase"})
    if phases:
        needed = plan.handed("needed_windows.json", plan.needed_windows(*phases))
        os.environ["CEREBRO_NEEDED_WINDOWS"] = needed
    plan.hand_over()
    if differing := installed_otherwise():
        print(f"cerebro: {differing}", file=sys.stderr)


def end(plan: Plan) -> None:
    """Say what did not come to the MLflow store."""
    if unsent := describe_unsent(Path(plan.results) / "tracking.json"):
        print(f"cerebro: {unsent}", file=sys.stderr)
