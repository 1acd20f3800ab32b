# Raw recordings -> inventory -> shards -> window index.

# Settings that name subjects or groups are handed over as files (`PLAN.handed`): they can be longer than a command
# line. Others are functions, since Snakemake would read a `{x}` in a text as one of its wildcards.


rule simulate:
    output:
        f"{R}/raw/simulation.json",
    log:
        f"{R}/logs/simulate.log",
    benchmark:
        f"{R}/benchmarks/simulate.tsv"
    conda:
        "../../envs/prepare.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=lambda wildcards: PLAN.simulation_settings(),
        code=step_digest("simulate"),
    message:
        "Writing the simulated archives"
    shell:
        "python -m cerebro.cli simulate --settings {params.settings:q} --threads {threads}"
        " --output {output:q} &> {log:q}"


checkpoint inventory:
    input:
        PLAN.markers(),
    output:
        f"{R}/inventory/recordings.parquet",
    log:
        f"{R}/logs/inventory.log",
    benchmark:
        f"{R}/benchmarks/inventory.tsv"
    conda:
        "../../envs/prepare.yaml"
    threads: 4
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        settings=PLAN.handed("inventory.json", PLAN.inventory_settings()),
        found=lambda wildcards: PLAN.found(),
        code=PLAN.inventory_code(),
        raw=PLAN.raw_option(),
        state=PLAN.inventory_state(),
    message:
        "Finding every recording"
    shell:
        "python -m cerebro.cli inventory --settings {params.settings:q} {params.raw:q} --state {params.state:q}"
        " --threads {threads} --output {output:q} &> {log:q}"


# The inventory runs whenever a file below the roots came, went or was touched. What reads it follows what it
# says, which `recordings` digests, and not that it was written anew; a shard follows what it says of the shard's
# own group, and the files of these subjects, which `members` digests. That is what ancient() says. The inventory
# is a checkpoint because ancient() alone hides more than it says: while the inventory itself has to run,
# Snakemake does not look for other reasons to run what follows. After a checkpoint it looks again.
rule shard:
    input:
        markers=lambda wildcards: PLAN.markers(wildcards.group),
        inventory=ancient(lambda wildcards: checkpoints.inventory.get().output[0]),
    output:
        signals=f"{R}/shards/{{group}}.npy",
        table=f"{R}/shards/{{group}}.parquet",
    log:
        f"{R}/logs/shards/{{group}}.log",
    benchmark:
        f"{R}/benchmarks/shards/{{group}}.tsv"
    conda:
        "../../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=240,
    params:
        settings=lambda wildcards: PLAN.shard_settings(wildcards.group),
        members=lambda wildcards: PLAN.members(wildcards.group, checkpoints.inventory.get().output[0]),
        code=lambda wildcards: PLAN.shard_code(wildcards.group),
    message:
        "Preprocessing {wildcards.group}"
    shell:
        "python -m cerebro.cli shard --settings {params.settings:q} --inventory {input.inventory:q}"
        " --group {wildcards.group:q} --table {output.table:q} --output {output.signals:q} &> {log:q}"


rule windows:
    input:
        inventory=ancient(lambda wildcards: checkpoints.inventory.get().output[0]),
        tables=expand(rules.shard.output.table, group=PLAN.groups),
    output:
        index=f"{R}/windows/index.parquet",
        summary=f"{R}/windows/summary.json",
    log:
        f"{R}/logs/windows.log",
    benchmark:
        f"{R}/benchmarks/windows.tsv"
    conda:
        "../../envs/prepare.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=120,
    params:
        settings=PLAN.handed("windows.json", PLAN.windows_settings()),
        tables=PLAN.handed_words("shards.txt", *PLAN.shard_tables()),
        recordings=lambda wildcards: PLAN.recordings(checkpoints.inventory.get().output[0]),
        code=PLAN.windows_code(),
    message:
        "Indexing windows, labels and splits"
    shell:
        "python -m cerebro.cli windows --settings {params.settings:q} --inventory {input.inventory:q}"
        " --shards @{params.tables:q} --summary {output.summary:q} --output {output.index:q} &> {log:q}"


# Knows nothing of the code that made the index; whatever trains or is scored waits for it.
rule audit:
    input:
        index=rules.windows.output.index,
        inventory=ancient(lambda wildcards: checkpoints.inventory.get().output[0]),
        tables=expand(rules.shard.output.table, group=PLAN.groups),
        signals=expand(rules.shard.output.signals, group=PLAN.groups),
    output:
        audit=f"{R}/windows/audit.json",
        masks=f"{R}/windows/masks.json",
    log:
        f"{R}/logs/audit.log",
    benchmark:
        f"{R}/benchmarks/audit.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=2500,
        runtime=60,
    params:
        settings=PLAN.handed("audit.json", PLAN.audit_settings()),
        tables=PLAN.handed_words("shards.txt", *PLAN.shard_tables()),
        recordings=lambda wildcards: PLAN.recordings(checkpoints.inventory.get().output[0]),
        code=step_digest("audit"),
    message:
        "Auditing the splits"
    shell:
        "python -m cerebro.cli audit --settings {params.settings:q} --index {input.index:q}"
        " --inventory {input.inventory:q} --shards @{params.tables:q} --masks {output.masks:q}"
        " --output {output.audit:q} &> {log:q}"


# A phase checks its own windows, so that a new phase re-runs no other check. When a run begins, it names all phases
# that it comes to ($CEREBRO_NEEDED_WINDOWS, which triggers nothing): each check looks at these first, so that no
# training starts when a later one has no windows.
rule check_windows:
    input:
        index=rules.windows.output.index,
        audit=rules.audit.output[0],
    output:
        f"{R}/windows/checks/{{phase}}.json",
    log:
        f"{R}/logs/check_windows/{{phase}}.log",
    benchmark:
        f"{R}/benchmarks/check_windows/{{phase}}.tsv"
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        own=lambda wildcards: PLAN.needed_windows(wildcards.phase),
        code=step_digest("check-windows"),
    message:
        "Checking the windows of {wildcards.phase}"
    shell:
        "python -m cerebro.cli check-windows --settings {params.own:q}"
        " --index {input.index:q} --output {output:q} &> {log:q}"
