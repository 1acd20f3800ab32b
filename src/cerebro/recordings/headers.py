"""Headers of raw files: what the inventory knows of a recording's signals without reading them.

EDF and BDF headers are read from a few kilobytes at the file's start, since TUH has a hundred thousand files;
any other file is opened as the shards open it. What was read is remembered, so that only files that changed
are opened again.
"""

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cerebro.files import atomic_path
from cerebro.recordings.bids_positions import position_sidecars
from cerebro.recordings.bids_sidecars import nearest_sidecar
from cerebro.recordings.companions import signals_beside
from cerebro.recordings.failures import BrokenRecording, is_of_the_disk, one_line
from cerebro.recordings.signals import describe_edf, open_labelled, source_files

# git-annex leaves a link to nowhere, or where links can't be (or files are unlocked) a small text file that
# names the object (https://git-annex.branchable.com/internals/pointer_file/).
_POINTER = b"/annex/objects/"
_LONGEST_POINTER = 32_768

_MEMORY = "headers.jsonl"

Stamp = list[int]
"""Size and time of a file, and of the file of its signals where that is another one."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file's header says, or why it says nothing."""

    size_bytes: int = 0
    """Size of the file, with that of a second one for its signals (`.fdt`, `.eeg`)."""
    mtime_ns: int = 0
    """When the file was last changed."""
    sfreq: float = math.nan
    """Sampling rate of the EEG channels in Hz."""
    duration: float = math.nan
    """Length in s."""
    channels: tuple[str, ...] = ()
    """Canonical names of the EEG channels, in the file's order."""
    left_out: tuple[str, ...] = ()
    """Labels of channels that were not understood, in the file's order."""
    parts: tuple[str, ...] = ()
    """Paths, links resolved, of other files that hold signals of the recording."""
    patient: str = ""
    """The patient field of an EDF or BDF file."""
    status: str = "ok"
    """`ok`, `missing` (not there), `quarantined` (broken), or `unreadable` (the disk or the network
    failed, which is never remembered)."""
    reason: str = ""
    """Why it is not `ok`."""


def read_headers(paths: Sequence[Path], *, state: Path | None = None, threads: int = 1) -> Iterator[Header]:
    """Read the headers of raw files, those that are remembered from an earlier run excepted.

    Parameters
    ----------
    paths
        The files.
    state
        Folder in which headers, and what is wrong with broken files, are remembered; none remembers nothing.
        A scan that was interrupted goes on from there.
    threads
        Files opened side by side.

    Yields
    ------
    Header
        One for each path, in their order; nothing that is wrong with a file raises, and nothing else is taken
        for a fault of the file.
    """
    known = {} if state is None else _remembered(state / _MEMORY)
    lines: list[str] = []
    journal = None
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
        journal = (state / _MEMORY).open("a", encoding="utf-8")
    try:
        with ThreadPoolExecutor(threads) as pool:
            for path, (header, stamp) in zip(
                paths, pool.map(lambda path: _header(path, known), paths), strict=True
            ):
                if journal is not None and stamp:
                    line = json.dumps([str(path), stamp, asdict(header)])
                    lines.append(line)
                    if known.get(str(path)) != (stamp, header):
                        journal.write(line + "\n")
                yield header
    finally:
        if journal is not None:
            journal.close()
    if state is not None:  # without what is gone, and each file once
        with atomic_path(state / _MEMORY) as temporary:
            temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def glance(path: Path) -> Header:
    """Say how large a file is and whether it was downloaded, its content unread."""
    return _unless_pointer(path, *_glance(path))


def _header(path: Path, known: dict[str, tuple[Stamp, Header]]) -> tuple[Header, Stamp | None]:
    """The header of a file, and the stamp under which to remember it (none: look again next time)."""
    stamped, stamp = _glance(path)
    stamp = stamp + _stamp_of_sidecars(path)
    if stamped.status == "ok" and str(path) in known and known[str(path)][0] == stamp:
        return known[str(path)][1], stamp
    stamped = _unless_pointer(path, stamped, stamp)
    if stamped.status != "ok":
        return stamped, None
    try:
        return replace(stamped, **_content(path)), stamp
    except FileNotFoundError as error:
        said = f"{Path(error.filename).name}, which belongs to it" if error.filename else one_line(error)
        return Header(status="missing", reason=f"not there: {said}"), None
    except (BrokenRecording, OSError) as error:
        failed = _failed(stamped, error)
        return failed, None if failed.status == "unreadable" else stamp


def _glance(path: Path) -> tuple[Header, Stamp]:
    stamp: Stamp = []
    try:
        for file in _parts(path):
            stat = file.stat()
            stamp += [stat.st_size, stat.st_mtime_ns]
    except FileNotFoundError:
        return Header(status="missing", reason=_not_there(file)), stamp
    except OSError as error:
        return _failed(Header(), error), stamp
    return Header(size_bytes=sum(stamp[::2]), mtime_ns=max(stamp[1::2])), stamp


def _not_there(file: Path) -> str:
    return f"not there: {file.name}" + (f", a link to {file.readlink()}" if file.is_symlink() else "")


def _stamp_of_sidecars(path: Path) -> Stamp:
    """That of the files that say which channels of a recording are EEG, and where they are."""
    stamp: Stamp = []
    try:
        table = nearest_sidecar(path, "channels")
        for file in ([] if table is None else [table]) + position_sidecars(path):
            stat = file.stat()
            stamp += [stat.st_size, stat.st_mtime_ns]
    except OSError:  # whoever reads the file says what is wrong
        return []
    return stamp


def _unless_pointer(path: Path, header: Header, stamp: Stamp) -> Header:
    """The header, unless git-annex keeps the content elsewhere; large files are not opened for it."""
    if header.status != "ok":
        return header
    try:
        for file, size in zip(_parts(path), stamp[::2], strict=False):
            if size < _LONGEST_POINTER and _POINTER in _start(file):
                missing = f"not downloaded: {file.name} is a pointer of git-annex"
                return Header(status="missing", reason=missing)
    except OSError as error:
        return _failed(header, error)
    return header


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(256)


def _parts(path: Path) -> list[Path]:
    """A recording's file, and that of its signals where that is another one, downloaded or not."""
    signals = signals_beside(path)
    return [path] if signals is None else [path, signals]


def _content(path: Path) -> dict[str, Any]:
    if path.suffix.lower() in (".edf", ".bdf"):  # without the ceremony of an MNE recording
        found = describe_edf(path)
        return {
            "sfreq": found.sfreq,
            "duration": found.header.records * found.header.record_seconds,
            "channels": tuple(found.own.values()),
            "left_out": found.left_out,
            "patient": found.header.patient,
        }
    raw, unknown = open_labelled(path)
    sfreq = float(raw.info["sfreq"])
    return {
        "sfreq": sfreq,
        "duration": float(raw.n_times / sfreq),
        "channels": tuple(raw.ch_names),
        "left_out": unknown,
        "parts": tuple(str(file.resolve()) for file in source_files(path, raw)[1:]),
    }


def _failed(header: Header, error: Exception) -> Header:
    if is_of_the_disk(error):
        return replace(header, status="unreadable", reason=one_line(f"{type(error).__name__}: {error}"))
    return replace(header, status="quarantined", reason=one_line(error))


def _remembered(memory: Path) -> dict[str, tuple[Stamp, Header]]:
    known: dict[str, tuple[Stamp, Header]] = {}
    if memory.exists():
        for line in memory.read_text(encoding="utf-8").splitlines():
            try:
                path, stamp, content = json.loads(line)
            except ValueError:
                continue  # cut off when the run that wrote it was ended
            lists = {name: tuple(names) for name, names in content.items() if isinstance(names, list)}
            known[path] = (stamp, Header(**content | lists))
    return known
