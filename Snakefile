# From raw recordings to a scored challenge submission; the rules are in workflow/rules/, what they compute
# in src/cerebro/. Default: the simulated demo of config/demo.yaml. Overlays: --configfile config/smoke.yaml

import sys

SOURCE = f"{workflow.basedir}/src"
sys.path.insert(0, SOURCE)
sys.path.append("")  # readers of one's own lie where the workflow runs, or on $PYTHONPATH

from cerebro.plan.mistakes import or_stop
from cerebro.plan.snakefile import begin, end, layers, one_of, planned
from cerebro.provenance import step_digest


configfile: f"{workflow.basedir}/config/base.yaml"


for LAYER in layers(config, workflow):

    configfile: LAYER


PLAN = planned(config, workflow, SOURCE)
R = PLAN.results


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


rule submission:
    default_target: PLAN.submitted is not None
    input:
        lambda wildcards: or_stop(PLAN.submission),
    message:
        "{R} is complete"


rule study:
    default_target: PLAN.submitted is None
    input:
        PLAN.phase_cards(),
        PLAN.all_probes(),
        PLAN.phase_scores(),
        f"{R}/summary.md",
    message:
        "{R} is complete"


rule phases:
    input:
        PLAN.phase_cards(),
    message:
        "{R}/phases is complete"


rule probes:
    input:
        PLAN.all_probes(),
    message:
        "{R}/probes is complete"


# What a study lacks, such as a submission, is not planned.
for PART in PLAN.parts:

    include: f"workflow/rules/{PART}.smk"
