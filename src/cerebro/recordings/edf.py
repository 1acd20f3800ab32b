"""Headers of EDF and BDF files: the one reading of them, which inventory and shards share.

The layout is the European Data Format's (Kemp et al. 1992, https://www.edfplus.info/specs/edf.html): 256
bytes on the file, then 256 bytes per signal, field by field. BDF is the same with samples of three bytes
(https://www.biosemi.com/faq/file_format.htm). EDF+D states when each record began, in its first annotation
(https://www.edfplus.info/specs/edfplus.html). Only what the signals need is asked for: a wrong start time, or
a wrong field of a channel that is not used, costs nothing.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cerebro.recordings.failures import BrokenRecording

_MAGIC = {b"0": ("edf", 2), b"\xffBIOSEMI": ("bdf", 3)}
"""Format and bytes of a sample, by the file's first eight bytes."""

_FIELDS = (
    ("physical minimum", 104),
    ("physical maximum", 112),
    ("digital minimum", 120),
    ("digital maximum", 128),
)
"""Where the fields of eight bytes begin that give samples their scale, in bytes per signal."""

_LEAST_GAP_SECONDS = 1e-3
"""Record stamps are rounded, to a millisecond by some recorders: what is less is no gap."""


@dataclass(frozen=True)
class EdfHeader:
    """What an EDF or BDF header says."""

    patient: str
    """The field on the patient: in TUH code, sex and age, else free text."""
    labels: tuple[str, ...]
    """Labels of all signals."""
    units: tuple[str, ...]
    """Units of all signals."""
    limits: tuple[tuple[str, str, str, str], ...]
    """Physical minimum and maximum, digital minimum and maximum of all signals, as they stand there."""
    samples: tuple[int, ...]
    """Samples of each signal in one data record."""
    record_seconds: float
    """Length of a data record in s."""
    records: int
    """Data records to read: those that the header promises, or all whole ones where its recorder never wrote
    how many there are."""
    bytes_per_sample: int
    """Two in EDF, three in BDF."""

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each signal begins in a data record, and where the record ends, in bytes."""
        return tuple(int(start) for start in np.cumsum((0, *self.samples)) * self.bytes_per_sample)

    @property
    def header_bytes(self) -> int:
        """Where the first data record begins."""
        return 256 * (len(self.labels) + 1)

    def scale(self, index: int) -> tuple[float, float]:
        """Return what a sample of a signal is multiplied with, and what is added, in the signal's unit.

        Raises
        ------
        BrokenRecording
            If a limit is no number, or the digital ones leave no room.
        """
        low, high, least, most = (
            _number(text, f"{name} of {self.labels[index]}")
            for text, (name, _) in zip(self.limits[index], _FIELDS, strict=True)
        )
        if not least < most:
            raise BrokenRecording(
                f"its header states digital limits of {least:g} and {most:g} for {self.labels[index]}"
            )
        gain = (high - low) / (most - least)
        return gain, low - gain * least


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header of an EDF or BDF file and hold it against the file.

    Raises
    ------
    BrokenRecording
        If the file is no EDF or BDF file, or the one under the other's name; if its header is broken, its
        record stamps tell of a gap, it holds no signals, or fewer than its header promises.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        fixed = stream.read(256)
        kind, bytes_per_sample = _MAGIC.get(_text(fixed[:8]).encode("latin1"), ("", 0))
        if not kind or len(fixed) < 256:
            raise BrokenRecording(f"not an EDF or BDF file ({'empty' if not fixed else 'wrong first bytes'})")
        if path.suffix.lower() != f".{kind}":
            named = path.suffix.lstrip(".").upper()
            raise BrokenRecording(f"{_a(kind.upper())} file under the name of {_a(named)} file")
        count = _whole(fixed[252:256], "number of signals")
        rest = stream.read(256 * count)
        if len(rest) < 256 * count:
            raise BrokenRecording("truncated within its header")
        samples = tuple(
            _whole(field, "number of samples in a record") for field in _column(rest, 216, 8, count)
        )
        header = EdfHeader(
            patient=fixed[8:88].decode("latin1").strip(),
            labels=tuple(map(_text, _column(rest, 0, 16, count))),
            units=tuple(map(_text, _column(rest, 96, 8, count))),
            limits=tuple(
                zip(*(map(_text, _column(rest, begin, 8, count)) for _, begin in _FIELDS), strict=True)
            ),
            samples=samples,
            record_seconds=_record_seconds(fixed[244:252]),
            records=_records(fixed, size, count, bytes_per_sample * sum(samples)),
            bytes_per_sample=bytes_per_sample,
        )
        if fixed[192:197] in (b"EDF+D", b"BDF+D"):
            _refuse_gaps(stream, header)
    return header


def annotation_bytes(stream: BinaryIO, header: EdfHeader) -> list[bytes]:
    """Return what the first annotation signal holds in each data record; nothing where there is none."""
    own = [i for i, label in enumerate(header.labels) if re.fullmatch("[EB]DF Annotations", label)]
    if not own:
        return []
    begin, end = header.starts[own[0] : own[0] + 2]
    found = []
    for record in range(header.records):
        stream.seek(header.header_bytes + record * header.starts[-1] + begin)
        found.append(stream.read(end - begin))
    return found


def _records(fixed: bytes, size: int, count: int, record_bytes: int) -> int:
    promised = _whole(fixed[236:244], "number of data records", least=-1)
    start = 256 * (count + 1)
    held = max(0, size - start) // record_bytes if record_bytes else 0
    if held < promised:
        raise BrokenRecording(
            f"truncated: its header promises {promised} data records, the file holds {held}"
        )
    if not held:
        raise BrokenRecording("it holds no signals")
    stated = _text(fixed[184:192])
    if stated != str(start) and start + promised * record_bytes != size:
        raise BrokenRecording(
            f"its header states a length of {stated or 'nothing'} bytes for itself, its {count} signals make "
            f"it {start}, and the file's size agrees with neither"
        )
    return promised if promised > 0 else held


def _record_seconds(field: bytes) -> float:
    seconds = _number(_text(field), "length of a data record")
    if seconds <= 0:
        raise BrokenRecording(f"its header states no length of a data record: {seconds:g} s")
    return seconds


def _refuse_gaps(stream: BinaryIO, header: EdfHeader) -> None:
    stamps = []
    for record, content in enumerate(annotation_bytes(stream, header)):
        stamp = re.match(rb"([+-]\d+(?:\.\d*)?)\x14", content)
        if stamp is None:
            raise BrokenRecording(f"an EDF+D file whose data record {record + 1} has no time stamp")
        stamps.append(float(stamp[1]))
    if not stamps:
        raise BrokenRecording("an EDF+D file without the signal that says when its data records began")
    steps = np.diff(stamps)
    least = max(_LEAST_GAP_SECONDS, header.record_seconds / max(header.samples) / 2)
    if len(off := np.flatnonzero(np.abs(steps - header.record_seconds) > least)):
        before, after = stamps[off[0]], stamps[off[0] + 1]
        raise BrokenRecording(
            f"its record stamps jump from {before:g} s to {after:g} s, while a record lasts "
            f"{header.record_seconds:g} s: times after the first gap would be wrong"
        )


def _a(name: str) -> str:
    return f"{'an' if name.startswith('E') else 'a'} {name}"


def _column(rest: bytes, begin: int, width: int, count: int) -> list[bytes]:
    """A field of all signals, which begins after so many bytes per signal."""
    return [rest[start : start + width] for start in range(begin * count, (begin + width) * count, width)]


def _text(field: bytes) -> str:
    """Text up to the first NUL, with which some recorders fill fields where the format wants spaces."""
    return field.decode("latin1").split("\x00")[0].strip()


def _whole(field: bytes, what: str, *, least: int = 0) -> int:
    text = _text(field)
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII) or int(text) < least:
        raise BrokenRecording(f"its header states no {what}, but '{_shown(text)}'")
    return int(text)


def _number(text: str, what: str) -> float:
    """A number as the format writes it, or with a comma, as some recorders do."""
    try:
        value = float(text.replace(",", ".").replace("_", " "))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BrokenRecording(f"its header states no {what}, but '{_shown(text)}'")
    return value


def _shown(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
