"""Whether the Snakemake that locked a folder still lives.

A Snakemake that is killed leaves its lock behind, and the next one stops on it. The workflow writes down who
runs it; `make` asks here before it removes a lock. A lock from another machine, or one whose jobs go on
without their Snakemake, is never called stale.
"""

import socket
import sys
from pathlib import Path

import psutil

from cerebro.files import read_json, write_json

_STATE = ".snakemake"


def record_instance(folder: Path) -> None:
    """Write down that this process runs the workflow of ``folder``."""
    process = psutil.Process()
    write_json(
        folder / _STATE / "instance.json",
        {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()},
    )


def has_stale_lock(folder: Path) -> bool:
    """Whether ``folder`` is locked by a Snakemake that is gone, along with every job it started."""
    record = folder / _STATE / "instance.json"
    if not any((folder / _STATE / "locks").glob("*")) or not record.exists():
        return False
    owner = read_json(record)
    return owner["host"] == socket.gethostname() and not _lives(owner) and not _jobs(folder)


def _lives(owner: dict[str, float]) -> bool:
    try:
        return psutil.Process(int(owner["pid"])).create_time() == owner["started"]
    except psutil.NoSuchProcess:
        return False


def _jobs(folder: Path) -> list[int]:
    """Steps that still run in ``folder``."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "cwd"])
        if "cerebro.cli" in (process.info["cmdline"] or []) and process.info["cwd"] == str(folder.resolve())
    ]


if __name__ == "__main__":
    sys.exit(0 if has_stale_lock(Path.cwd()) else 1)
