# Variants of the graph of phases with several seeds, compared on the held-out releases.


# Of a study that is wholly simulated.
if PLAN.oracle_targets:

    rule oracle:
        input:
            marker=f"{R}/raw/simulation.json",
            index=rules.windows.output.index,
        output:
            f"{R}/predictions/test/oracle-{{target}}.parquet",
        log:
            f"{R}/logs/predictions/test/oracle-{{target}}.log",
        benchmark:
            f"{R}/benchmarks/predictions/test/oracle-{{target}}.tsv"
        conda:
            "../../envs/train.yaml"
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            code=step_digest("oracle"),
        message:
            "Reading {wildcards.target} from the simulation's truth"
        shell:
            "python -m cerebro.cli oracle --target {wildcards.target:q} --marker {input.marker:q}"
            " --index {input.index:q} --output {output:q} &> {log:q}"


# A file, since all nodes of many seeds are longer than one argument of a command may be (128 KiB on Linux).
rule list_compared:
    output:
        ablations=f"{R}/tables/ablations.json",
        encoders=f"{R}/tables/encoders.json",
    log:
        f"{R}/logs/list_compared.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        ablations=lambda wildcards: PLAN.ablation_settings(),
        encoders=lambda wildcards: PLAN.encoder_comparison_settings(),
    message:
        "Listing what is compared"
    run:
        Path(output.ablations).write_text(params.ablations)
        Path(output.encoders).write_text(params.encoders)


rule compare_variants:
    input:
        settings=rules.list_compared.output.ablations,
        predictions=lambda wildcards: or_stop(PLAN.compared_answers),
        validation=PLAN.weighing_answers(),
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        table=f"{R}/tables/ablations.csv",
        text=f"{R}/tables/ablations.md",
        forest=f"{R}/tables/forest.svg",
        curve=f"{R}/tables/learning_curve.svg",
    log:
        f"{R}/logs/compare_variants.log",
    benchmark:
        f"{R}/benchmarks/compare_variants.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        answers=f"{R}/predictions",
        code=step_digest("ablations"),
    message:
        "Comparing the variants"
    shell:
        "python -m cerebro.cli ablations --settings {input.settings:q} --predictions {params.answers:q}"
        " --tracking {input.tracking:q} --output {output.table:q} 2>&1 | tee {log:q}"


rule compare_encoders:
    input:
        settings=rules.list_compared.output.encoders,
        probes=lambda wildcards: expand(rules.probe.output.answers, encoder=or_stop(PLAN.compared_encoders)),
        isc=lambda wildcards: PLAN.isc_files(or_stop(PLAN.compared_encoders)),
    output:
        table=f"{R}/tables/encoders.csv",
        text=f"{R}/tables/encoders.md",
        lineage=f"{R}/tables/lineage.svg",
    log:
        f"{R}/logs/compare_encoders.log",
    benchmark:
        f"{R}/benchmarks/compare_encoders.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        probes=f"{R}/probes",
        isc=["--isc", f"{R}/isc"] if PLAN.stimulus else [],
        code=step_digest("encoders"),
    message:
        "Comparing the encoders"
    shell:
        "python -m cerebro.cli encoders --settings {input.settings:q} --probes {params.probes:q}"
        " {params.isc:q} --output {output.table:q} 2>&1 | tee {log:q}"


rule ablations:
    input:
        rules.compare_variants.output if PLAN.submitted else [],
        rules.compare_encoders.output,
    message:
        "{R}/tables is complete"
