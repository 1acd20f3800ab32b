"""How long recordings are, estimated from some of them: headers and sidecars, never signals.

An archive of a hundred thousand files is surveyed within seconds. Formats store a constant number of bytes
per second at a given montage and rate, so that the length of the rest follows from its size; what comes out
is an estimate, and is called one.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cerebro.recordings.headers import Header, read_headers

SIDECARS = 200
"""Recordings of one format whose BIDS sidecar is read."""

HEADERS = 48
"""Recordings of one format whose header is read."""

SLOW_HEADERS = 3
"""The same for formats whose header can't be had without the signals (EEGLAB files that hold both)."""

SECONDS = 4.0
"""After this long no further header of a format is opened."""

_SLOW_FORMATS = frozenset({"set", "cnt"})


@dataclass
class Lengths:
    """What the sampled files say."""

    headers: dict[int, Header] = field(default_factory=dict)
    """Headers that were read, by row."""
    sidecars: int = 0
    """Sidecars that state a length."""
    channels: int = 0
    """Largest number of channels that a sidecar states."""


def estimate_lengths(
    rows: Sequence[dict[str, Any]], *, clock: Callable[[], float] = time.monotonic
) -> Lengths:
    """Fill in the column ``duration`` (s) of usable recordings.

    Parameters
    ----------
    rows
        Rows of the inventory whose headers were not read; changed in place. Where no file of a format tells
        its length, the duration stays NaN.
    clock
        Seconds that pass.
    """
    lengths = Lengths()
    formats: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        if row["status"] == "ok":
            formats.setdefault(row["format"], []).append(number)
    for kind, numbers in formats.items():
        known = _stated_by_sidecars(rows, numbers, lengths) if kind in _SLOW_FORMATS else {}
        deadline = clock() + SECONDS
        for number in _headers_to_read(kind, rows, numbers):
            (lengths.headers[number],) = read_headers([Path(rows[number]["path"])])
            if lengths.headers[number].status == "ok":
                known[number] = lengths.headers[number].duration
            if clock() > deadline:
                break
        size = sum(rows[number]["size_bytes"] for number in known)
        rate = sum(known.values()) / size if size else math.nan
        for number in numbers:
            rows[number]["duration"] = known.get(number, rate * rows[number]["size_bytes"])
    return lengths


def _stated_by_sidecars(
    rows: Sequence[Mapping[str, Any]], numbers: Sequence[int], lengths: Lengths
) -> dict[int, float]:
    known = {}
    for number in _spread(numbers, SIDECARS):
        content = _sidecar(Path(rows[number]["path"]))
        seconds, channels = content.get("RecordingDuration"), content.get("EEGChannelCount")
        if isinstance(seconds, int | float) and 0 < seconds < math.inf:
            known[number] = float(seconds)
        if isinstance(channels, int):
            lengths.channels = max(lengths.channels, channels)
    lengths.sidecars += len(known)
    return known


def _sidecar(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _headers_to_read(kind: str, rows: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> list[int]:
    if kind not in _SLOW_FORMATS:
        return _spread(numbers, HEADERS)
    # The small ones are quickly read, and the ones that are more likely broken.
    by_size = sorted(numbers, key=lambda number: rows[number]["size_bytes"])
    return _spread(by_size[: max(SLOW_HEADERS, len(by_size) // 2)], SLOW_HEADERS)


def _spread(numbers: Sequence[int], at_most: int) -> list[int]:
    """Some of the numbers, evenly spread."""
    count = min(at_most, len(numbers))
    return [numbers[index * len(numbers) // count] for index in range(count)]
