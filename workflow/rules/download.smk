# HBN-EEG from its public buckets; nothing depends on it, so that no study fetches terabytes unasked. Without
# outputs it looks each time, at what is missing or has changed.


rule download:
    log:
        f"{R}/logs/download.log",
    benchmark:
        f"{R}/benchmarks/download.tsv"
    conda:
        "../../envs/download.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=2880,
    params:
        settings=PLAN.handed("download.json", PLAN.download_settings()),
    message:
        "Fetching releases"
    shell:
        "python -m cerebro.cli download --settings {params.settings:q} --log {log:q}"
