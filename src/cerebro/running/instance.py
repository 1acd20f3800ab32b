"""Who runs a study in a folder: the Snakemakes that live, and what those that were killed left there.

A Snakemake that is killed leaves its lock behind, and the next one stops on it. So each writes down which
study it runs, and the next one of that study removes the lock, once the first and every step that it started
are gone from this machine. What was just killed takes a moment to be gone, and is waited for. Studies that
run in one folder side by side have a record and locks of their own.
"""

import atexit
import shlex
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from cerebro.errors import UserError
from cerebro.files import read_json, write_json

SNAKEMAKE_DIES_S = 3.0
STEPS_DIE_S = 20.0
"""Seconds within which what was killed is gone; the memory of a training takes some to be freed."""


def clear_stale_lock(folder: Path, results: str) -> None:
    """Remove the lock of a study whose Snakemake was killed, so that this one can start.

    A lock of another machine, or of a Snakemake that nobody wrote down, is left alone.

    Parameters
    ----------
    folder
        Where Snakemake runs.
    results
        The study's folder of results, relative to ``folder``; all that its steps write lies there.

    Raises
    ------
    UserError
        A step of the study still runs without its Snakemake; the message names it and its process.
    """
    owners = _owners(folder, results)
    if not owners:
        return
    if abroad := [owner for owner in owners if owner["host"] != socket.gethostname()]:
        _say(
            f"{results} is run on {abroad[0]['host']}, or was killed there (process {abroad[0]['pid']}); if "
            f"nothing of it runs any more, remove {abroad[0]['record']} and give --unlock"
        )
        return
    if left := _await_end(lambda: [owner for owner in owners if _lives(owner)], SNAKEMAKE_DIES_S):
        _say(_describe_owner(left[0], results))  # whether this one may start is for Snakemake's lock to say
        return
    if steps := _await_end(lambda: _steps(folder, results), STEPS_DIE_S):
        raise UserError(_describe_steps(steps, results))
    if locks := _locks(folder, results):
        _say(f"removing the lock of a Snakemake that was killed while it ran {results}")
        for lock in locks:
            lock.unlink(missing_ok=True)
    for owner in owners:
        owner["record"].unlink(missing_ok=True)


def record_instance(folder: Path, results: str) -> None:
    """Write down that this process runs the study ``results`` in ``folder``, for as long as it lives.

    Raises
    ------
    UserError
        Another Snakemake runs the study. Its lock may be lost, since each Snakemake that ends removes the
        locks of all in its folder.
    """
    process = psutil.Process()
    for owner in _owners(folder, results):
        if owner["host"] == socket.gethostname() and owner["pid"] != process.pid and _lives(owner):
            raise UserError(_describe_owner(owner, results))
    record = _records(folder) / f"{socket.gethostname()}-{process.pid}.json"
    content = {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()}
    write_json(record, {**content, "results": results})
    atexit.register(record.unlink, missing_ok=True)


def _records(folder: Path) -> Path:
    return folder / ".snakemake" / "instances"


def _owners(folder: Path, results: str) -> list[dict[str, Any]]:
    """What Snakemakes of a study wrote down, and in which file (``record``); those that ended are gone."""
    found = []
    for file in sorted(_records(folder).glob("*.json")):
        with suppress(FileNotFoundError):  # ended at this moment
            found.append({**read_json(file), "record": file})
    return [owner for owner in found if owner["results"] == results]


def _locks(folder: Path, results: str) -> list[Path]:
    """Snakemake's lock files that name a file of the study."""
    found = []
    for file in (folder / ".snakemake" / "locks").glob("*.lock"):
        with suppress(FileNotFoundError):
            found += [file] if _belongs(file.read_text().splitlines(), results) else []
    return found


def _belongs(paths: Sequence[str], results: str) -> bool:
    return any(path == results or path.startswith(f"{results}/") for path in paths)


def _lives(owner: dict[str, Any]) -> bool:
    """Whether the process is there; one that is dead and not buried by its parent is not."""
    try:
        process = psutil.Process(int(owner["pid"]))
        return process.create_time() == owner["started"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _steps(folder: Path, results: str) -> list[psutil.Process]:
    """Steps of the study that run in ``folder``, without the processes that these started themselves."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "cwd", "ppid"])
        if "cerebro.cli" in (process.info["cmdline"] or [])
        and process.info["cwd"] == str(folder.resolve())
        and _belongs(process.info["cmdline"], results)
    ]
    numbers = {process.pid for process in found}
    return [process for process in found if process.info["ppid"] not in numbers]


def _await_end(find: Callable[[], list[Any]], seconds: float) -> list[Any]:
    """Look until nothing is found; what is left after ``seconds``."""
    deadline = time.monotonic() + seconds
    while (left := find()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _describe_owner(owner: dict[str, Any], results: str) -> str:
    return (
        f"{results} is being run by another Snakemake (process {owner['pid']}); wait for it or stop it first"
    )


def _describe_steps(steps: list[psutil.Process], results: str) -> str:
    names = [f"{_name(step.info['cmdline'])} (process {step.pid})" for step in steps]
    numbers = shlex.join(str(step.pid) for step in steps)
    return (
        f"of a Snakemake of {results} that was killed there still runs: {', '.join(names)}; "
        f"wait for its end, or end it with: kill {numbers}"
    )


def _name(command: list[str]) -> str:
    """The step and what it writes: ``phase results/demo/phases/pretrain``."""
    output = command[command.index("--output") + 1] if "--output" in command[:-1] else ""
    return " ".join([*command[command.index("cerebro.cli") + 1 :][:1], output]).strip()


def _say(text: str) -> None:
    print(f"cerebro: {text}", file=sys.stderr, flush=True)
