# The challenge submission: packaged, tried as the scorer would, scored.


rule package:
    input:
        members=PLAN.submitted_files(),
        validation=PLAN.submitted_answers(),
    output:
        f"{R}/submission/submission.zip",
    log:
        f"{R}/logs/package.log",
    benchmark:
        f"{R}/benchmarks/package.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        members=PLAN.handed_words("members.txt", *PLAN.package_options()),
        code=PLAN.package_code(),
    message:
        "Packaging the submission"
    shell:
        "python -m cerebro.cli package @{params.members:q} --output {output:q} &> {log:q}"


rule preflight:
    input:
        rules.package.output[0],
    output:
        f"{R}/submission/preflight.json",
    log:
        f"{R}/logs/preflight.log",
    benchmark:
        f"{R}/benchmarks/preflight.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
        gpu=PLAN.gpus,
    params:
        code=step_digest("preflight"),
    message:
        "Trying the submission without this package on its path"
    shell:
        "python -m cerebro.cli preflight --zip {input:q} --output {output:q} &> {log:q}"


rule score:
    input:
        zip=rules.package.output[0],
        preflight=rules.preflight.output[0],
        index=rules.windows.output.index,
        shards=expand(rules.shard.output.signals, group=PLAN.groups),
        tracking=ancient(lambda wildcards: checkpoints.track.get().output[0]),
    output:
        score=f"{R}/submission/score.json",
        predictions=f"{R}/submission/predictions.parquet",
    log:
        f"{R}/logs/score.log",
    benchmark:
        f"{R}/benchmarks/score.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
        gpu=PLAN.gpus,
    params:
        settings=lambda wildcards: PLAN.score_settings(),
        code=step_digest("score"),
    message:
        "Scoring by the challenge's rules on the held-out releases"
    shell:
        "python -m cerebro.cli score --zip {input.zip:q} --settings {params.settings:q}"
        " --index {input.index:q} --tracking {input.tracking:q} --output {output.score:q} &> {log:q}"
