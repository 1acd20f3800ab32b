# Answers of finetune phases and of baselines, and each one's score beside its floors.


rule predict:
    input:
        encoder=lambda wildcards: PLAN.encoder_files(wildcards.phase),
        index=rules.windows.output.index,
        audit=rules.audit.output[0],
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
    output:
        f"{R}/predictions/{{split}}/{{phase}}.parquet",
    log:
        f"{R}/logs/predictions/{{split}}/{{phase}}.log",
    benchmark:
        f"{R}/benchmarks/predictions/{{split}}/{{phase}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=PLAN.gpus,
    params:
        folder=lambda wildcards: PLAN.phase_folder(wildcards.phase),
        code=lambda wildcards: PLAN.encoder_code("predict", wildcards.phase),
    message:
        "Answers of {wildcards.phase} on {wildcards.split} windows"
    shell:
        "python -m cerebro.cli predict --phase {params.folder:q} --split {wildcards.split}"
        " --index {input.index:q} --output {output:q} &> {log:q}"


rule baseline:
    input:
        index=rules.windows.output.index,
        audit=rules.audit.output[0],
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
    output:
        f"{R}/predictions/{{split}}/{{baseline}}.parquet",
    log:
        f"{R}/logs/predictions/{{split}}/{{baseline}}.log",
    benchmark:
        f"{R}/benchmarks/predictions/{{split}}/{{baseline}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        settings=lambda wildcards: PLAN.baseline_settings(wildcards.baseline),
        code=step_digest("baseline"),
    message:
        "Fitting {wildcards.baseline} for {wildcards.split} windows"
    shell:
        "python -m cerebro.cli baseline --node {wildcards.baseline:q} --settings {params.settings:q}"
        " --split {wildcards.split} --index {input.index:q} --output {output:q} &> {log:q}"


rule score_phase:
    input:
        answers=f"{R}/predictions/{PLAN.scored_split}/{{scored}}.parquet",
        index=rules.windows.output.index,
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        f"{R}/scores/{{scored}}.json",
    log:
        f"{R}/logs/scores/{{scored}}.log",
    benchmark:
        f"{R}/benchmarks/scores/{{scored}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=lambda wildcards: PLAN.phase_score_settings(wildcards.scored),
        code=step_digest("score-phase"),
    message:
        "Scoring {wildcards.scored}"
    shell:
        "python -m cerebro.cli score-phase --node {wildcards.scored:q} --settings {params.settings:q}"
        " --answers {input.answers:q} --index {input.index:q} --tracking {input.tracking:q}"
        " --output {output:q} &> {log:q}"
