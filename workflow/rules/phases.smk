# The MLflow store and the graph of trainings.


rule track:
    message:
        "Creating the MLflow store"
    output:
        f"{R}/tracking.json",
    params:
        name=PLAN.config.name,
    log:
        f"{R}/logs/track.log",
    benchmark:
        f"{R}/benchmarks/track.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/train.yaml"
    shell:
        "python -m cerebro.cli track --name {params.name:q} --output {output:q} &> {log:q}"


# One rule for every phase: a new node of the graph is a line of configuration. The store and the check are
# ancient: neither changes what is trained. Checkpoints for resuming lie under state/, undeclared, since
# Snakemake deletes the outputs of a failed job.
rule phase:
    message:
        "Training {wildcards.phase} (progress: {log})"
    input:
        parents=lambda wildcards: expand(
            "{folder}/{file}",
            folder=PLAN.phase_parents(wildcards.phase).values(),
            file=["encoder.safetensors", "card.json"],
        ),
        index=rules.windows.output.index,
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
        check=ancient(rules.check_windows.output[0]),
        tracking=ancient(rules.track.output[0]),
    output:
        multiext(
            f"{R}/phases/{{phase}}/",
            encoder="encoder.safetensors",
            card="card.json",
            metrics="metrics.json",
            history="history.csv",
        ),
    params:
        settings=lambda wildcards: PLAN.phase_settings(wildcards.phase),
        code=lambda wildcards: PLAN.phase_code(wildcards.phase),
        parents=lambda wildcards: [
            f"{key}={folder}" for key, folder in PLAN.phase_parents(wildcards.phase).items()
        ],
        folder=f"{R}/phases/{{phase}}",
        state=f"{R}/state/{{phase}}",
    log:
        f"{R}/logs/phases/{{phase}}.log",
    benchmark:
        f"{R}/benchmarks/phases/{{phase}}.tsv"
    threads: PLAN.config.compute.threads
    resources:
        mem_mb=3000,
        runtime=1440,
        gpu=PLAN.gpus,
    conda:
        "../../envs/train.yaml"
    shell:
        "python -m cerebro.cli phase --node {wildcards.phase:q} --settings {params.settings:q}"
        " --index {input.index:q} --tracking {input.tracking:q} --parents {params.parents:q}"
        " --state {params.state:q} --compute {COMPUTE:q} --output {params.folder:q} &> {log:q}"
