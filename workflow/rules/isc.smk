# How alike held-out subjects respond to the same movie: every encoder, and the signal itself as the control.


rule isc:
    input:
        encoder=lambda wildcards: PLAN.encoder_files(wildcards.compared),
        index=rules.windows.output.index,
        audit=rules.audit.output[0],
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        f"{R}/isc/{{compared}}.json",
    log:
        f"{R}/logs/isc/{{compared}}.log",
    benchmark:
        f"{R}/benchmarks/isc/{{compared}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=PLAN.gpus,
    params:
        settings=lambda wildcards: PLAN.isc_settings(wildcards.compared),
        code=lambda wildcards: PLAN.encoder_code("isc", wildcards.compared),
        encoder=lambda wildcards: PLAN.encoder_option(wildcards.compared),
    message:
        "Comparing subjects by {wildcards.compared}"
    shell:
        "python -m cerebro.cli isc --encoder {params.encoder:q}"
        " --settings {params.settings:q} --index {input.index:q} --tracking {input.tracking:q}"
        " --output {output:q} &> {log:q}"
