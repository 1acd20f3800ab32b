# The MLflow store and the graph of trainings.

# Who logs to the store is not computed anew when the store is: ancient(), and a checkpoint as in data.smk.


checkpoint track:
    output:
        f"{R}/tracking.json",
    log:
        f"{R}/logs/track.log",
    benchmark:
        f"{R}/benchmarks/track.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        name=PLAN.config.name,
    message:
        "Creating the MLflow store"
    shell:
        "python -m cerebro.cli track --name {params.name:q} --output {output:q} &> {log:q}"


# One rule for every phase: a new node of the graph is a line of configuration. Training states for resuming
# lie under state/, undeclared, since Snakemake deletes the outputs of a failed job.
rule phase:
    input:
        parents=lambda wildcards: expand(
            "{folder}/{file}",
            folder=PLAN.phase_parents(wildcards.phase).values(),
            file=["encoder.safetensors", "head.safetensors", "card.json"],
        ),
        weights=lambda wildcards: PLAN.phase_weights(wildcards.phase),
        index=rules.windows.output.index,
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
        check=f"{R}/windows/checks/{{phase}}.json",
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        multiext(
            f"{R}/phases/{{phase}}/",
            encoder="encoder.safetensors",
            head="head.safetensors",
            checkpoints="checkpoints.safetensors",
            card="card.json",
            metrics="metrics.json",
            history="history.csv",
        ),
    log:
        f"{R}/logs/phases/{{phase}}.log",
    benchmark:
        f"{R}/benchmarks/phases/{{phase}}.tsv"
    priority: 1
    conda:
        "../../envs/train.yaml"
    threads: PLAN.config.compute.threads
    resources:
        mem_mb=3000,
        runtime=1440,
        gpu=PLAN.gpus,
    params:
        settings=lambda wildcards: PLAN.phase_settings(wildcards.phase),
        code=lambda wildcards: PLAN.phase_code(wildcards.phase),
        parents=lambda wildcards: [
            f"{key}={folder}" for key, folder in PLAN.phase_parents(wildcards.phase).items()
        ],
        folder=subpath(output.card, parent=True),
        state=f"{R}/state/{{phase}}",
    message:
        "Training {wildcards.phase} (progress: {log})"
    shell:
        "python -m cerebro.cli phase --node {wildcards.phase:q} --settings {params.settings:q}"
        " --index {input.index:q} --tracking {input.tracking:q} --parents {params.parents:q}"
        " --state {params.state:q} --code {params.code:q} --output {params.folder:q} &> {log:q}"
