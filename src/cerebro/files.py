"""Files that are either whole or absent, digests that name their content."""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cerebro.errors import UserError

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}(\.[^.]*)?")
"""Names that :func:`atomic_path` gives."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_LEAST_ROOM = 2**16
"""Free bytes below which an error while writing is laid to the disk: not every library tells the cause."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block ends without an error.

    The block writes the file in place. It is on the disk before it gets its name, so that a power cut leaves
    the old file or the new one. Temporary files in the folder that their writers no longer hold, since they
    were killed, are removed first.

    Raises
    ------
    UserError
        The disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    with _full_disk_said(path):
        temporary, stream = _hold_new_file(path)
    try:
        with _full_disk_said(path):
            yield temporary
            _to_disk(temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        stream.close()


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that killed writers left in a folder; those of living ones stay."""
    for entry in os.scandir(folder):
        if not _TEMPORARY.fullmatch(entry.name) or not entry.is_file(follow_symlinks=False):
            continue
        # Somebody writes it, has just finished or removed it, or the file system knows no locks.
        with suppress(OSError), Path(entry.path).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Path(entry.path).unlink()


def _hold_new_file(path: Path) -> tuple[Path, BinaryIO]:
    """A new empty file beside ``path``, locked as long as the stream is open: its writer lives."""
    while True:
        temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}{path.suffix}")
        stream = temporary.open("xb")
        with suppress(BlockingIOError):
            _lock(stream)
            if temporary.exists():
                return temporary, stream
        stream.close()  # one who removes leftovers came between its creation and the lock


def _lock(stream: BinaryIO) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # the file system knows no locks: nobody can take the file for a leftover there


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _full_disk_said(path: Path) -> Iterator[None]:
    """Turn an error that comes of a full disk into the sentence about it; libraries tell it in many ways."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        told = getattr(error, "errno", None) in _NO_ROOM or any(
            os.strerror(code) in str(error) for code in _NO_ROOM
        )
        if told or shutil.disk_usage(path.parent).free < _LEAST_ROOM:
            raise UserError(
                f"{path} could not be written: no space left on its disk; free some and give the same "
                "command again, what is finished stays"
            ) from error
        raise


def describe_damage(table: Path) -> str | None:
    """One sentence on a parquet file of which a page cannot be read, with the way out; none if all can."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(table) as opened:
            for _ in opened.iter_batches():
                pass
    except FileNotFoundError:
        pass
    except (pa.ArrowException, OSError) as error:
        return (
            f"{table} is damaged ({next(iter(str(error).splitlines()), '')}); make it again with: "
            f"snakemake --cores 8 --force {table}, with the study's --configfile"
        )
    return None


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically; NaN is not valid JSON and raises ``ValueError``."""
    text = json.dumps(content, indent=2, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text())


def digest_text(text: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_file(path: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def nearest_folder(path: Path) -> Path:
    """Return the folder itself if it exists, else the nearest one above it that does."""
    path = Path(path).absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
