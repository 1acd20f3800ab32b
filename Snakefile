# From raw recordings to a scored challenge submission; the rules are in workflow/rules/, what they compute
# in src/cerebro/. Default: the simulated demo of config/demo.yaml. Overlays: --configfile config/smoke.yaml

import os
import sys
from pathlib import Path

SOURCE = f"{workflow.basedir}/src"
sys.path.insert(0, SOURCE)
sys.path.append("")  # readers of one's own lie where the workflow runs, or on $PYTHONPATH

from cerebro.config import load_config, needs_demo
from cerebro.config.files import check_files
from cerebro.instance import clear_stale_lock, record_instance
from cerebro.plan import Plan
from cerebro.plan.snakefile import one_of, or_stop
from cerebro.provenance import installed_otherwise, step_digest
from cerebro.tracking import describe_unsent


configfile: f"{workflow.basedir}/config/base.yaml"


if needs_demo(config):

    configfile: f"{workflow.basedir}/config/demo.yaml"


or_stop(lambda: check_files(workflow.configfiles))
PLAN = or_stop(lambda: Plan(load_config(config)))
R = PLAN.results

if workflow.is_main_process:
    or_stop(lambda: clear_stale_lock(Path.cwd(), R))

# Every job inherits these; they never re-run a step. OpenMP's threads sleep while they wait for one another:
# where other jobs hold the cores, waiting in a loop made a training five times slower.
os.environ.update(
    # Features and scores take a GPU where they see one.
    {"CUDA_VISIBLE_DEVICES": ""} if PLAN.config.compute.accelerator == "cpu" else {},
    CEREBRO_COMPUTE=PLAN.compute_settings(),
    CEREBRO_NEEDED_WINDOWS=PLAN.handed("needed_windows.json", PLAN.needed_windows()),
    PYTHONPATH=os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")])),
    OMP_WAIT_POLICY="passive",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
)


onstart:
    record_instance(Path.cwd(), R)
    PLAN.hand_over()
    if differing := installed_otherwise():
        print(f"cerebro: {differing}", file=sys.stderr)


onsuccess:
    if unsent := describe_unsent(Path(R) / "tracking.json"):
        print(f"cerebro: {unsent}", file=sys.stderr)


wildcard_constraints:
    group=one_of(PLAN.groups),
    phase=one_of(PLAN.nodes),
    encoder=one_of([*PLAN.nodes, *PLAN.no_phases, *PLAN.checkpoints]),
    compared=one_of([*PLAN.nodes, *PLAN.no_phases]),
    baseline=one_of(PLAN.baselines) or "-",
    target="reaction_time|externalizing",
    split="validation|test",


localrules:
    download,
    list_compared,
    ablations,
    submission,
    track,
    lineage,
    summary,


rule submission:
    default_target: True
    input:
        f"{R}/submission/submission.zip",
        f"{R}/submission/preflight.json",
        f"{R}/submission/score.json",
        f"{R}/summary.md",
        f"{R}/figures/lineage.svg",
    message:
        "{R} is complete"


include: "workflow/rules/download.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/phases.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/adapters.smk"
include: "workflow/rules/isc.smk"
include: "workflow/rules/submission.smk"
include: "workflow/rules/ablations.smk"
