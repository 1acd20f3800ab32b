"""Recordings that lie there twice: which of them is used, and on what was seen.

In HBN and TUH names are those of recordings, so that files of one name are one recording, also at another
rate. In a folder of any files a name says nothing: two are one recording if they hold the same signals.
"""

import filecmp
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cerebro.recordings.signals import open_raw

_SECONDS = 60.0
"""How much of two files is compared, from their start."""
_PADDING_SECONDS = 1.0
"""EDF fills up the last second with zeros."""
_ALIKE = 0.999
"""Correlation of signals that went through another format; neighbouring electrodes are less alike."""


def leave_out_parts(rows: Sequence[dict[str, Any]], parts: Mapping[str, Sequence[str]]) -> None:
    """Leave out files that hold a part of another recording's signals, as those of a FIF that was split.

    Parameters
    ----------
    rows
        Those of one dataset, changed in place.
    parts
        By the path of a recording, those of other files that hold signals of it, links resolved.
    """
    usable = {str(Path(row["path"]).resolve()): row for row in rows if row["status"] == "ok"}
    others = {part for row in usable.values() for part in parts.get(row["path"], ())}
    for file, row in usable.items():
        for part in parts.get(row["path"], ()):
            if file not in others and part in usable:
                reason = f"its signals are a part of those of {row['path']}, which is used"
                usable[part] |= {"status": "excluded", "reason": reason}


def tell_copies_apart(rows: Sequence[dict[str, Any]]) -> None:
    """Use a recording that lies there twice once: the first copy that is usable, under the plain name.

    Others of one name are numbered. Rows are changed in place.

    Parameters
    ----------
    rows
        Those of one dataset, with the columns of :data:`cerebro.recordings.inventory.SCHEMA`.
    """
    of_one_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of_one_name.setdefault(row["recording"], []).append(row)
    for identity, same in of_one_name.items():
        used = next((row for row in same if row["status"] == "ok"), same[0])
        kept = [used]
        others = [row for row in same if row is not used]
        for number, row in enumerate(others, start=2):
            row["recording"] = f"{identity}#{number}"
            why = _why_a_copy(row, kept) if used["status"] == "ok" else ""
            if why:
                row |= {"status": "excluded", "reason": why}
            elif row["status"] == "ok":
                kept.append(row)


def _why_a_copy(row: dict[str, Any], kept: Sequence[dict[str, Any]]) -> str:
    if row["reader"] != "files":
        return f"has the same name as {kept[0]['path']}"
    if row["status"] != "ok":
        return ""
    found = ((what_is_alike(Path(row["path"]), Path(other["path"])), other["path"]) for other in kept)
    return next((f"its {alike} are those of {path}, which is used" for alike, path in found if alike), "")


def what_is_alike(first: Path, second: Path) -> str:
    """Say what two files share, if that is their content: `bytes`, or the signals of a minute, else nothing.

    Signals are compared electrode by electrode and whatever their scale, so that a copy in another format,
    with coarser steps or in another unit, is found. A copy at another rate is not.
    """
    if first.stat().st_size == second.stat().st_size and filecmp.cmp(first, second, shallow=False):
        return "bytes"
    try:
        one, other = open_raw(first), open_raw(second)
        sfreq, seconds = one.info["sfreq"], min(one.n_times / one.info["sfreq"], _SECONDS)
        lengths = abs(one.n_times - other.n_times) / sfreq
        if sfreq != other.info["sfreq"] or lengths > _PADDING_SECONDS:
            return ""
        names = sorted({*one.ch_names} & {*other.ch_names})
        if len(names) < min(len(one.ch_names), len(other.ch_names)):
            return ""
        stop = min(one.n_times, other.n_times, int(seconds * sfreq))
        signals = [raw.get_data(names, stop=stop, verbose="error") for raw in (one, other)]
    except (ValueError, OSError):  # what can't be read is told where it is used
        return ""
    a, b = (signal - signal.mean(axis=1, keepdims=True) for signal in signals)
    products, sizes = (a * b).sum(axis=1), np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    moving = sizes > 0
    if not moving.any() or (products[moving] < _ALIKE * sizes[moving]).any():
        return ""
    return f"first {stop / sfreq:g} s"
