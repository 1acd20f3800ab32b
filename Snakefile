# From raw recordings to a scored challenge submission; the rules are in workflow/rules/, what they compute
# in src/cerebro/. Default: the simulated demo of config/demo.yaml. Overlays: --configfile config/smoke.yaml

import os
import sys
from pathlib import Path

SOURCE = f"{workflow.basedir}/src"
sys.path.insert(0, SOURCE)
sys.path.append("")  # readers of one's own lie where the workflow runs, or on $PYTHONPATH

from cerebro.config import load_config
from cerebro.config.files import check_files
from cerebro.instance import clear_stale_lock
from cerebro.plan import Plan
from cerebro.plan.snakefile import begin, end, environment, layers, one_of, or_stop
from cerebro.provenance import step_digest


configfile: f"{workflow.basedir}/config/base.yaml"


for LAYER in or_stop(lambda: layers(config, f"{workflow.basedir}/config")):

    configfile: LAYER


or_stop(lambda: check_files(workflow.configfiles))
PLAN = or_stop(lambda: Plan(load_config(config)))
R = PLAN.results

if workflow.is_main_process:
    or_stop(lambda: clear_stale_lock(Path.cwd(), R))

os.environ.update(environment(PLAN, SOURCE))


onstart:
    begin(PLAN, workflow)


onsuccess:
    end(PLAN)


wildcard_constraints:
    group=one_of(PLAN.groups),
    phase=one_of(PLAN.nodes),
    scored=one_of([*PLAN.nodes, *PLAN.baselines]),
    encoder=one_of([*PLAN.nodes, *PLAN.no_phases, *PLAN.checkpoints]),
    compared=one_of([*PLAN.nodes, *PLAN.no_phases]),
    baseline=one_of(PLAN.baselines),
    target=one_of(PLAN.oracle_targets),
    split="validation|test",


localrules:
    download,
    list_compared,
    ablations,
    phases,
    probes,
    study,
    submission,
    track,
    lineage,
    summary,


# What a study lacks, such as a submission, is not planned.
for PART in PLAN.parts:

    include: f"workflow/rules/{PART}.smk"
