"""Headers of EDF and BDF files, read without touching their signals.

The layout is the European Data Format's (Kemp et al. 1992, https://www.edfplus.info/specs/edf.html): 256
bytes on the file, then 256 bytes per signal, field by field. BDF is the same with samples of three bytes
(https://www.biosemi.com/faq/file_format.htm).
"""

import re
from dataclasses import dataclass
from pathlib import Path

_MAGIC = {b"0": ("edf", 2), b"\xffBIOSEMI": ("bdf", 3)}
"""Format and bytes of a sample, by the file's first eight bytes."""


@dataclass(frozen=True)
class EdfHeader:
    """What an EDF or BDF header says."""

    patient: str
    """The field on the patient: in TUH code, sex and age, else free text."""
    labels: tuple[str, ...]
    """Labels of all signals."""
    units: tuple[str, ...]
    """Units of all signals."""
    samples: tuple[int, ...]
    """Samples of each signal in one data record."""
    record_seconds: float
    """Length of a data record in s."""
    records: int
    """Whole data records in the file; a header that states -1 (not closed by its recorder) is not needed."""


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header of an EDF or BDF file and hold it against the file's size.

    Raises
    ------
    ValueError
        If the file is no EDF or BDF file, or the one under the other's name; if its header is broken, its
        signals have gaps, it holds none, or fewer than its header promises.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        fixed = stream.read(256)
        kind, bytes_per_sample = _MAGIC.get(fixed[:8].strip(), ("", 0))
        if not kind or len(fixed) < 256:
            raise ValueError(f"not an EDF or BDF file ({'empty' if not fixed else 'wrong first bytes'})")
        if path.suffix.lower() != f".{kind}":
            named = path.suffix.lstrip(".").upper()
            raise ValueError(f"{_a(kind.upper())} file under the name of {_a(named)} file")
        if fixed[192:197] in (b"EDF+D", b"BDF+D"):
            raise ValueError("an EDF+D file: its signals have gaps, so that times after the first are wrong")
        count = _whole(fixed[252:256], "number of signals")
        rest = stream.read(256 * count)
    if len(rest) < 256 * count:
        raise ValueError("truncated within its header")
    labels = _texts(rest[: 16 * count], 16)
    first = 216 * count
    samples = tuple(
        _whole(rest[start : start + 8], "number of samples") for start in range(first, first + 8 * count, 8)
    )
    promised = _whole(fixed[236:244], "number of data records")
    try:
        record_seconds = float(fixed[244:252])
    except ValueError:
        record_seconds = 0.0
    if not 0 < record_seconds < float("inf"):
        raise ValueError("its header states no length of a data record")
    record_bytes = bytes_per_sample * sum(samples)
    held = (size - 256 * (count + 1)) // record_bytes if record_bytes else 0
    if held < promised:
        raise ValueError(f"truncated: its header promises {promised} data records, the file holds {held}")
    if not held:
        raise ValueError("it holds no signals")
    return EdfHeader(
        patient=fixed[8:88].decode("latin1").strip(),
        labels=labels,
        units=_texts(rest[96 * count : 104 * count], 8),
        samples=samples,
        record_seconds=record_seconds,
        records=held,
    )


def _a(name: str) -> str:
    return f"{'an' if name.startswith('E') else 'a'} {name}"


def _texts(field: bytes, width: int) -> tuple[str, ...]:
    return tuple(
        field[start : start + width].decode("latin1").strip() for start in range(0, len(field), width)
    )


def _whole(field: bytes, what: str) -> int:
    text = field.strip(b" \x00")
    if not re.fullmatch(rb"-?\d+", text):
        raise ValueError(f"not an EDF or BDF file: its header states no {what}")
    return int(text)
