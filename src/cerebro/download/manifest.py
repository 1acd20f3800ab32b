"""Which files have been verified, so that the next run neither fetches nor reads them again.

One line of JSON per file, appended as soon as the file is whole: what is killed loses nothing that was done.
A file counts as verified while its size and time of change are those of then, and the bucket still holds the
same content.
"""

import json
import threading
from pathlib import Path
from typing import Any

from cerebro.download.bucket import RemoteObject

NAME = ".cerebro-verified.jsonl"
"""The manifest's name, in the folder of its release; delete it to have every file read and compared again."""


class Manifest:
    """The verified files of one release.

    Parameters
    ----------
    folder
        The release's local folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._entries: dict[str, dict[str, Any]] = {}
        self._path = folder / NAME
        if self._path.is_file():
            text = self._path.read_text(errors="replace")
            for line in text.splitlines():
                try:
                    entry = json.loads(line)
                    self._entries[entry["path"]] = entry
                except (ValueError, KeyError, TypeError):
                    continue  # the line at which an earlier run was killed
            if text and not text.endswith("\n"):
                with self._path.open("a") as stream:
                    stream.write("\n")

    def holds(self, item: RemoteObject) -> bool:
        """Whether the local file was verified to be this object, and has not changed since."""
        entry = self._entries.get(str(item.path))
        return entry is not None and entry == self._entry(item)

    def add(self, item: RemoteObject) -> None:
        """Record that the local file is this object."""
        entry = self._entry(item)
        with self._lock, self._path.open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
            self._entries[str(item.path)] = entry

    def _entry(self, item: RemoteObject) -> dict[str, Any]:
        try:
            stat = (self._folder / item.path).stat()
        except OSError:
            return {}
        return {
            "path": str(item.path),
            "etag": item.etag,
            "size": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
        }
