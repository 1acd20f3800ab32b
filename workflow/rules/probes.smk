# Linear models on frozen features: after every phase and for an untrained encoder.


rule probe:
    input:
        encoder=lambda wildcards: PLAN.encoder_files(wildcards.encoder),
        index=rules.windows.output.index,
        audit=rules.audit.output[0],
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        f"{R}/probes/{{encoder}}.json",
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
        gpu=PLAN.gpus,
    params:
        settings=lambda wildcards: PLAN.probe_settings(wildcards.encoder),
        code=lambda wildcards: PLAN.encoder_code("cerebro.evaluation.probes", wildcards.encoder),
        encoder=lambda wildcards: PLAN.encoder_option(wildcards.encoder),
    message:
        "Probing {wildcards.encoder}"
    shell:
        "python -m cerebro.cli probe --node {wildcards.encoder:q} {params.encoder:q}"
        " --settings {params.settings:q} --index {input.index:q} --tracking {input.tracking:q}"
        " --output {output:q} &> {log:q}"
