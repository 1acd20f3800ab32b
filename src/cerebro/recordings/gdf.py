"""GDF files: what their headers say of length, units and scales, none of which MNE looks at or keeps.

The layout is that of Schlögl, "GDF - A general dataformat for biosignals" (https://arxiv.org/abs/cs/0608052),
versions 1 and 2.
"""

import re
import struct
from pathlib import Path
from typing import BinaryIO

import mne

from cerebro.recordings.failures import BrokenRecording

_LENGTH_AT, _RECORDS_AT, _COUNT_AT, _FIXED_BYTES = 184, 236, 252, 256
_UNITS_AT = {1: 96, 2: 102}
"""Where units begin, in bytes per channel after the fixed part, by version: as text, or as codes."""
_SAMPLES_AT, _TYPES_AT = 216, 220
"""Where samples in a record and their types begin, alike."""
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 16: 4, 17: 8}
_CODES = {4256: "V", 4274: "mV", 4275: "uV"}
"""Voltages by their codes in ISO/IEEE 11073-10101."""


def refuse_short_gdf(path: Path) -> None:
    """Refuse a file that holds fewer data records than its header promises.

    Raises
    ------
    BrokenRecording
        Naming both numbers.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        version, count = _version_and_count(stream)
        stream.seek(_LENGTH_AT)
        header_bytes = _integer(stream, "<q") if version == 1 else 256 * _integer(stream, "<H")
        stream.seek(_RECORDS_AT)
        promised = _integer(stream, "<q")
        columns = []
        for begin in (_SAMPLES_AT, _TYPES_AT):
            stream.seek(_FIXED_BYTES + begin * count)
            columns.append([_integer(stream, "<i") for _ in range(count)])
    record_bytes = sum(samples * _TYPE_BYTES.get(kind, 0) for samples, kind in zip(*columns, strict=True))
    if record_bytes <= 0:
        raise BrokenRecording("it holds no signals")
    held = max(0, size - header_bytes) // record_bytes
    if held < promised:
        raise BrokenRecording(
            f"truncated: its header promises {promised} data records, the file holds {held}"
        )


def refuse_gdf_without_scale(raw: mne.io.BaseRaw) -> None:
    """Refuse channels whose limits give samples no scale; MNE makes one up.

    Raises
    ------
    BrokenRecording
        Naming the limits.
    """
    layout = raw._raw_extras[0]  # MNE offers no other way to them
    for name, *limits in zip(
        raw.ch_names,
        *(layout[f"{kind}_{end}"] for kind in ("physical", "digital") for end in ("min", "max")),
        strict=False,
    ):
        low, high, least, most = map(float, limits)
        if not (low != high and least < most):
            raise BrokenRecording(
                f"its header states physical limits of {low:g} and {high:g}, digital ones of {least:g} and "
                f"{most:g} for {name}"
            )


def gdf_rates(raw: mne.io.BaseRaw) -> dict[str, float]:
    """Sampling rate of each channel in Hz; MNE brings slower ones to the rate of the fastest."""
    layout = raw._raw_extras[0]
    length, of = layout["record_length"]
    return {
        name: float(samples) * float(of) / float(length)
        for name, samples in zip(raw.ch_names, layout["n_samps"], strict=False)
    }


def gdf_units(path: Path) -> list[str]:
    """Read the unit of each channel, as MNE scales it."""
    with path.open("rb") as stream:
        version, count = _version_and_count(stream)
        stream.seek(_FIXED_BYTES + _UNITS_AT[version] * count)
        if version == 2:
            codes = struct.unpack(f"<{count}H", stream.read(2 * count))
            return [_CODES.get(code, f"unit number {code}") for code in codes]
        texts = [stream.read(8).split(b"\x00")[0].decode("latin1").strip() for _ in range(count)]
    # MNE takes all but microvolts for volts.
    return ["uV" if text.startswith("uV") else f"{text} of GDF 1" if text != "V" else text for text in texts]


def _version_and_count(stream: BinaryIO) -> tuple[int, int]:
    """The version, 1 or 2, and how many channels there are."""
    stream.seek(0)
    start = stream.read(8)
    if not re.fullmatch(rb"GDF [12]\.\d\d", start):
        raise BrokenRecording("not a GDF file (wrong first bytes)")
    stream.seek(_COUNT_AT)
    version = 1 if float(start[4:]) < 1.9 else 2
    return version, _integer(stream, "<I" if version == 1 else "<H")


def _integer(stream: BinaryIO, layout: str) -> int:
    content = stream.read(struct.calcsize(layout))
    if len(content) < struct.calcsize(layout):
        raise BrokenRecording("truncated within its header")
    return int(struct.unpack(layout, content)[0])
