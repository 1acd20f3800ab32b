"""One file: continued where an earlier attempt broke off, compared with its checksum, put in its place."""

import glob
import itertools
import threading
from collections.abc import Callable
from pathlib import Path

from cerebro.download.bucket import Bucket, RemoteObject, TransferError
from cerebro.download.checksums import etag_of, parts_of, plausible

ATTEMPTS = 5
"""Failures in a row, none of which brought a byte, after which a file is given up for this run."""

DAMAGED = 3
"""How often a file is fetched anew whose content does not match its checksum."""


class Stopped(Exception):
    """The run was interrupted; what was fetched stays for the next one."""


class FetchError(Exception):
    """This file can't be had in this run."""


def part_path(target: Path, item: RemoteObject) -> Path:
    """Return where the beginning of a file waits for its rest; hidden, and of this content alone."""
    return target.with_name(f".{target.name}.{item.etag}.part")


def bytes_there(target: Path, item: RemoteObject) -> int:
    """Return how many bytes of an unfinished file are there."""
    part = part_path(target, item)
    size = part.stat().st_size if part.is_file() else 0
    return size if size <= item.size else 0


class Fetcher:
    """Fetches files of one bucket.

    Parameters
    ----------
    bucket
        Where they lie.
    advance
        Called with the number of bytes that arrived; with a negative one where damaged ones are thrown away.
    stop
        Set when the run is to end.
    """

    def __init__(self, bucket: Bucket, *, advance: Callable[[int], None], stop: threading.Event) -> None:
        self._bucket = bucket
        self._advance = advance
        self._stop = stop

    def matches(self, path: Path, item: RemoteObject) -> bool:
        """Whether a local file is the object: its size, and its checksum where the entity tag is one.

        Raises
        ------
        TransferError, RefusedError
            If the size of the parts has to be asked for and isn't told.
        """
        if path.stat().st_size != item.size:
            return False
        parts = parts_of(item.etag)
        if parts is None:
            return True
        part_size = self._bucket.part_size(item) if parts else None
        if part_size is not None and not plausible(part_size, size=item.size, parts=parts):
            return True  # a copy of the bucket that keeps the tag and not the parts: nothing to compare with
        return etag_of(path, part_size) == item.etag

    def fetch(self, item: RemoteObject, target: Path) -> int:
        """Fetch a file, whatever lies at ``target``; returns how often its content arrived damaged.

        Raises
        ------
        FetchError
            If it can't be had, with the reason.
        RefusedError
            If the server will not hand it out.
        Stopped
            If the run ends first.
        """
        part = part_path(target, item)
        part.parent.mkdir(parents=True, exist_ok=True)
        for stale in part.parent.glob(f".{glob.escape(target.name)}.*.part"):
            if stale != part:  # of a version that the bucket no longer holds
                stale.unlink()
        damaged = failures = 0
        while True:
            before = bytes_there(target, item)
            try:
                self._append(item, part)
                whole = self.matches(part, item)
            except TransferError as error:
                failures = 1 if bytes_there(target, item) > before else failures + 1
                if failures >= ATTEMPTS:
                    raise FetchError(f"{error} ({ATTEMPTS} attempts)") from error
                self._pause(failures)
                continue
            if whole:
                part.replace(target)
                return damaged
            damaged += 1
            part.unlink()
            self._advance(-item.size)
            if damaged >= DAMAGED:
                raise FetchError(f"its content does not match its checksum, {DAMAGED} times")

    def _append(self, item: RemoteObject, part: Path) -> None:
        """Bring the beginning of a file to its full length."""
        start = part.stat().st_size if part.exists() else 0
        if start > item.size:
            part.unlink()
            start = 0
        if 0 < start == item.size:
            return
        chunks = self._bucket.read(item, start)
        first = next(chunks, b"")  # the request is made here: one that is refused leaves no file behind
        with part.open("ab") as stream:
            for chunk in itertools.chain([first], chunks):
                stream.write(chunk)
                self._advance(len(chunk))
                if self._stop.is_set():
                    raise Stopped
        if part.stat().st_size < item.size:
            raise TransferError("the answer ended early")

    def _pause(self, failures: int) -> None:
        if self._stop.wait(min(30.0, 0.5 * 2**failures)):
            raise Stopped
