"""One process at a time in a folder, however the others came to be there.

A Snakemake that is killed leaves its trainings running; the next one, or a scheduler that submits again,
would start each a second time, and both would write the same checkpoints.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cerebro.errors import UserError


@contextmanager
def exclusive(folder: Path) -> Iterator[bool]:
    """Hold ``folder/.lock`` while the block runs; the system frees it when the process ends, killed or not.

    Child processes of the holder pass: Lightning starts the further ranks of a training as children that run
    the same command. Yields whether this process is the holder, not a child of it.

    Parameters
    ----------
    folder
        Created where it is missing. The lock file stays; the block must not delete it, since a deleted file
        locks nobody out.

    Raises
    ------
    UserError
        Another process holds the lock: its process id, and the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        first = _acquire(file)
        if not first:
            file.seek(0)
            holder = file.read().strip()
            if holder != str(os.getppid()):
                raise UserError(
                    f"another process is training into {folder} (pid {holder}); wait for it or stop it"
                )
        yield first


def _acquire(file: TextIO) -> bool:
    """Lock the file and write this process's id into it; false where another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return True
