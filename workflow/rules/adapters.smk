# `snakemake adapters`: the channel adapters side by side. Nothing else needs it.


rule adapters:
    input:
        index=rules.windows.output.index,
        audit=rules.audit.output[0],
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        comparison=f"{R}/adapters/comparison.json",
        table=f"{R}/adapters/comparison.md",
    log:
        f"{R}/logs/adapters.log",
    benchmark:
        f"{R}/benchmarks/adapters.tsv"
    conda:
        "../../envs/train.yaml"
    threads: PLAN.config.compute.threads
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=PLAN.gpus,
    params:
        settings=lambda wildcards: PLAN.adapter_settings(),
        code=step_digest("adapters"),
    message:
        "Comparing the channel adapters (progress: {log})"
    shell:
        "python -m cerebro.cli adapters --settings {params.settings:q} --index {input.index:q}"
        " --tracking {input.tracking:q} --table {output.table:q} --output {output.comparison:q} &> {log:q}"
