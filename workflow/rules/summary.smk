# The last step of a study: scores, probes and the course of each phase.


rule summary:
    input:
        score=PLAN.summed_scores(),
        probes=PLAN.probe_files(PLAN.summed_probes),
        isc=PLAN.isc_files(PLAN.encoders),
        windows=rules.windows.output.summary,
        metrics=expand(rules.phase.output.metrics, phase=PLAN.phases),
    output:
        f"{R}/summary.md",
    log:
        f"{R}/logs/summary.log",
    benchmark:
        f"{R}/benchmarks/summary.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        scores=PLAN.score_option(),
        measured=PLAN.handed_words(
            "summary.txt",
            *("--probes", *PLAN.probe_files(PLAN.summed_probes)),
            *("--isc", *PLAN.isc_files(PLAN.encoders)),
            *("--phases", *map(PLAN.phase_folder, PLAN.phases)),
        ),
        code=step_digest("summary"),
    message:
        "Scores and probes beside their floors"
    shell:
        "python -m cerebro.cli summary {params.scores} {input.score:q} @{params.measured:q}"
        " --windows {input.windows:q} --output {output:q} 2>&1 | tee {log:q}"
