# Linear models on frozen features: after every phase and for an untrained encoder.


# Every encoder runs once over the windows that are probed; targets are looked up later.
rule features:
    input:
        encoder=lambda wildcards: PLAN.encoder_files(wildcards.encoder),
        index=rules.windows.output.index,
        audit=rules.audit.output[0],
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
    output:
        f"{R}/features/{{encoder}}.npz",
    log:
        f"{R}/logs/features/{{encoder}}.log",
    benchmark:
        f"{R}/benchmarks/features/{{encoder}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=PLAN.gpus,
    params:
        settings=lambda wildcards: PLAN.feature_settings(wildcards.encoder),
        code=lambda wildcards: PLAN.encoder_code("features", wildcards.encoder),
        encoder=lambda wildcards: PLAN.encoder_option(wildcards.encoder),
    message:
        "Features of {wildcards.encoder}"
    shell:
        "python -m cerebro.cli features --encoder {params.encoder:q}"
        " --settings {params.settings:q} --index {input.index:q} --output {output:q} &> {log:q}"


rule probe:
    input:
        features=rules.features.output[0],
        index=rules.windows.output.index,
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        scores=f"{R}/probes/{{encoder}}.json",
        answers=f"{R}/probes/{{encoder}}.parquet",
    log:
        f"{R}/logs/probes/{{encoder}}.log",
    benchmark:
        f"{R}/benchmarks/probes/{{encoder}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        settings=lambda wildcards: PLAN.probe_settings(),
        code=step_digest("probe"),
    message:
        "Probing {wildcards.encoder}"
    shell:
        "python -m cerebro.cli probe --features {input.features:q}"
        " --settings {params.settings:q} --index {input.index:q} --tracking {input.tracking:q}"
        " --output {output.scores:q} &> {log:q}"


rule probe_table:
    input:
        probes=PLAN.probe_files(PLAN.probed),
    output:
        f"{R}/probes/table.md",
    log:
        f"{R}/logs/probe_table.log",
    benchmark:
        f"{R}/benchmarks/probe_table.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        probes=PLAN.handed_words("probe_table.txt", *PLAN.probe_files(PLAN.probed)),
        code=step_digest("probe-table"),
    message:
        "Probes beside their floors"
    shell:
        "python -m cerebro.cli probe-table --probes @{params.probes:q} --output {output:q} 2>&1 | tee {log:q}"


rule lineage:
    input:
        probes=expand(rules.probe.output[0], encoder=[*PLAN.encoders, *PLAN.checkpoints]),
    output:
        f"{R}/figures/lineage.svg",
    log:
        f"{R}/logs/lineage.log",
    benchmark:
        f"{R}/benchmarks/lineage.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        probes=PLAN.handed_words(
            "lineage.txt", *expand(rules.probe.output[0], encoder=[*PLAN.encoders, *PLAN.checkpoints])
        ),
        code=step_digest("lineage"),
    message:
        "Drawing the probes along the lineages"
    shell:
        "python -m cerebro.cli lineage --probes @{params.probes:q} --output {output:q} &> {log:q}"
