# From raw recordings to a scored challenge submission; the rules are in workflow/rules/, what they compute
# in src/cerebro/. Default: the simulated demo of config/base.yaml. Overlays: --configfile config/smoke.yaml

import os
import sys

sys.path.insert(0, f"{workflow.basedir}/src")

from snakemake.exceptions import WorkflowError

from cerebro.config import load_config
from cerebro.errors import UserError
from cerebro.plan import Plan
from cerebro.provenance import code_digest


configfile: f"{workflow.basedir}/config/base.yaml"


try:
    PLAN = Plan(load_config(config))
except UserError as error:
    raise WorkflowError(str(error))

R = PLAN.results
COMPUTE = PLAN.compute_settings()

shell.prefix(
    "set -euo pipefail; "
    f"export PYTHONPATH={workflow.basedir}/src MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true; "
)


wildcard_constraints:
    group="|".join(PLAN.groups),
    phase="|".join(PLAN.phases),
    encoder="|".join(PLAN.encoders),


localrules:
    submission,
    track,
    summary,


rule submission:
    default_target: True
    message:
        "{R} is complete"
    input:
        f"{R}/submission/submission.zip",
        f"{R}/submission/preflight.json",
        f"{R}/submission/score.json",
        f"{R}/summary.md",


include: "workflow/rules/data.smk"
include: "workflow/rules/phases.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/submission.smk"
