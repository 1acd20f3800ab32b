# What can be asked for: the trainings, the probes, the submission, or all that the study has.


rule phases:
    input:
        expand("{folder}/card.json", folder=map(PLAN.phase_folder, PLAN.phases)),
    message:
        "{R}/phases is complete"


rule probes:
    input:
        PLAN.probe_files(PLAN.probed),
        f"{R}/probes/table.md",
        f"{R}/figures/lineage.svg",
    message:
        "{R}/probes is complete"


rule submission:
    default_target: PLAN.submitted is not None
    input:
        lambda wildcards: or_stop(PLAN.submission),
    message:
        "{R} is complete"


rule study:
    default_target: PLAN.submitted is None
    input:
        rules.phases.input,
        rules.probes.input,
        PLAN.phase_scores(),
        f"{R}/summary.md",
    message:
        "{R} is complete"
