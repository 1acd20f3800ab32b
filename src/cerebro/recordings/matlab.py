"""MATLAB files of level 5, as EEGLAB writes them: single variables and fields of them, the rest passed over.

SciPy reads whole variables, signals and all, and a file with errors may end the process in it (a segmentation
fault). Here every length is held against what is there, and large arrays stay in the file. The layout is that
of the "MAT-File Format" (https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf).
"""

import math
import os
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cerebro.recordings.failures import BrokenRecording

_HEADER_BYTES, _TAG_BYTES = 128, 8
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"\x00\x01IM": "little", b"\x01\x00MI": "big"}
"""Order of bytes, by the header's version and mark."""

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _FIRST_NUMERIC, _LAST_NUMERIC = 1, 2, 4, 6, 15
_START_BYTES = 1024  # of a variable, which hold its name and shape
_LARGE_BYTES = 2**20  # what is less is read at once


@dataclass(frozen=True)
class Numbers:
    """A large array whose values stay in the file."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int | None
    """Where its values begin in the file, column after column; None where they are compressed."""
    read: Callable[[], np.ndarray] | None
    """Reads all of them, where they are compressed."""

    def columns(self, start: int, stop: int) -> np.ndarray:
        """Read a range of columns of a matrix that is not compressed."""
        count, size = self.shape[0], self.dtype.itemsize
        offset = (self.offset or 0) + start * count * size
        values = np.fromfile(self.path, self.dtype, (stop - start) * count, offset=offset)
        return values.reshape((count, -1), order="F")


class _Stored:
    """A stretch of a file, read when its bytes are asked for."""

    def __init__(self, path: Path, stream: int, start: int, length: int) -> None:
        self.path, self.start = path, start
        self._stream, self._length = stream, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> "_Stored":
        begin, end, _ = part.indices(self._length)
        return _Stored(self.path, self._stream, self.start + begin, max(0, end - begin))

    def __bytes__(self) -> bytes:
        return os.pread(self._stream, self._length, self.start)


_Content = Any
"""A :class:`_Stored`, or a memoryview of what was decompressed."""


def is_level_5(path: Path) -> bool:
    """Whether a file says so in its header."""
    with path.open("rb") as stream:
        return stream.read(_HEADER_BYTES)[_HEADER_BYTES - 4 :] in _ORDERS


def read_matlab(path: Path, wanted: Collection[str], *, within: str) -> dict[str, Any]:
    """Read some variables of a file.

    Parameters
    ----------
    path
        The file.
    wanted
        Their names.
    within
        A variable that is one structure and may hold the same names as fields: of it only these are read.

    Returns
    -------
    dict
        What is there of all these. Numbers are arrays of the shape that the file states, many of them
        :class:`Numbers`; text is text, cells are a flat list, arrays of structures a flat list of dicts; what
        is none of these is None.

    Raises
    ------
    BrokenRecording
        If the file is shorter than its variables, or one that is read is broken.
    """
    found = {}
    with path.open("rb", buffering=0) as stream:
        content = _Stored(path, stream.fileno(), 0, os.fstat(stream.fileno()).st_size)
        reader = _Reader(_ORDERS[bytes(content[_HEADER_BYTES - 4 : _HEADER_BYTES])])
        for kind, body in reader.variables(content[_HEADER_BYTES:]):
            if kind not in (_MATRIX, _COMPRESSED):
                continue
            start: _Content = body if kind == _MATRIX else _inflated(body, _START_BYTES)[_TAG_BYTES:]
            name = reader.matrix(start)[2]
            if name not in wanted and name != within:
                continue
            numbers = reader.packed_numbers(start, body) if kind == _COMPRESSED else None
            if numbers is None:
                whole = body if kind == _MATRIX else _inflated(body)[_TAG_BYTES:]
                numbers = reader.value(whole, wanted if name == within else None)
            found[name] = numbers
    return found


class _Reader:
    def __init__(self, order: Literal["little", "big"]) -> None:
        self._order = order

    def variables(self, content: _Stored) -> Iterator[tuple[int, _Stored]]:
        """Yield kind and body of each variable, once all of them were found to lie within the file."""
        found, start = [], 0
        while start + _TAG_BYTES <= len(content):
            kind, length = (self._integer(content[start + at :]) for at in (0, 4))
            found.append((kind, content[start + _TAG_BYTES : start + _TAG_BYTES + length]))
            start += _TAG_BYTES + length
        if start > len(content):
            raise BrokenRecording(
                f"truncated: its variables take {_HEADER_BYTES + start} bytes, the file holds "
                f"{_HEADER_BYTES + len(content)}"
            )
        yield from found

    def element(self, content: _Content) -> tuple[int, _Content, _Content]:
        """Kind and body of the element with which some content begins, and what follows it."""
        kind, length = self._integer(content), self._integer(content[4:])
        begin, end = _TAG_BYTES, _TAG_BYTES + math.ceil(length / 8) * 8
        if kind >> 16:  # up to four bytes stand within the tag
            kind, length, begin, end = kind & 0xFFFF, kind >> 16, 4, _TAG_BYTES
        if begin + length > min(len(content), end):
            raise BrokenRecording("broken: a field is longer than the variable that holds it")
        return kind, content[begin : begin + length], content[end:]

    def matrix(self, body: _Content) -> tuple[int, tuple[int, ...], str, _Content]:
        """Class, shape, name and content of a matrix."""
        _, flags, rest = self.element(body)
        _, sizes, rest = self.element(rest)
        _, name, rest = self.element(rest)
        shape = tuple(np.frombuffer(bytes(sizes[: len(sizes) // 4 * 4]), self._dtype("i4")).tolist())
        if min(shape, default=-1) < 0:
            raise BrokenRecording("broken: a variable has no shape")
        return self._integer(flags) & 0xFF, shape, bytes(name).decode("latin1"), rest

    def value(self, body: _Content, wanted: Collection[str] | None = None) -> Any:
        """The value of a matrix; of a structure only the fields that are wanted, if any are named."""
        if not len(body):  # how an empty field is written
            return np.empty((0, 0))
        if isinstance(body, _Stored) and len(body) <= _LARGE_BYTES:
            body = memoryview(bytes(body))
        kind, shape, name, rest = self.matrix(body)
        count = math.prod(shape)
        if kind == _STRUCT:
            return self._structures(count, rest, wanted)
        if kind == _CELL:
            return [self.value(one) for one in self._matrices(count, rest)]
        if kind != _CHAR and not _FIRST_NUMERIC <= kind <= _LAST_NUMERIC:
            return None
        stored, content, _ = self.element(rest)
        if kind == _CHAR:
            codec = _TEXTS.get(stored, "latin1")
            if codec in ("utf-16", "utf-32"):
                codec += "-le" if self._order == "little" else "-be"
            return bytes(content).decode(codec, errors="replace")
        dtype = self._dtype(_NUMBERS.get(stored, "u1"))
        if stored not in _NUMBERS or len(content) != count * dtype.itemsize:
            sizes = " x ".join(map(str, shape))
            raise BrokenRecording(
                f"broken: {name or 'a field'} of {sizes} numbers takes {len(content)} bytes"
            )
        if isinstance(content, _Stored):
            return Numbers(content.path, shape, dtype, content.start, None)
        return np.frombuffer(bytes(content), dtype).reshape(shape, order="F")

    def packed_numbers(self, start: memoryview, body: _Stored) -> Numbers | None:
        """A compressed variable that is a large array, known by its start; None if it is anything else."""
        kind, shape, _, rest = self.matrix(start)
        dtype = self._dtype(_NUMBERS.get(self._integer(rest), "u1"))
        if not _FIRST_NUMERIC <= kind <= _LAST_NUMERIC or math.prod(shape) * dtype.itemsize <= _LARGE_BYTES:
            return None
        path, place, length = body.path, body.start, len(body)

        def read() -> np.ndarray:
            with path.open("rb") as stream:
                stream.seek(place)
                return self.value(_inflated(stream.read(length))[_TAG_BYTES:])

        return Numbers(path, shape, dtype, None, read)

    def _structures(self, count: int, rest: _Content, wanted: Collection[str] | None) -> list[dict[str, Any]]:
        _, width, rest = self.element(rest)
        _, names, rest = self.element(rest)
        step, text = self._integer(width), bytes(names)
        if step < 1:
            raise BrokenRecording("broken: the fields of a structure have no names")
        fields = [text[at : at + step].split(b"\x00")[0].decode("latin1") for at in range(0, len(text), step)]
        matrices = self._matrices(count * len(fields), rest)
        return [
            {
                field: self.value(body)
                for field, body in zip(fields, one, strict=True)
                if wanted is None or field in wanted
            }
            for one in zip(*[matrices] * len(fields), strict=True)
        ]

    def _matrices(self, count: int, rest: _Content) -> Iterator[_Content]:
        for _ in range(count):
            _, body, rest = self.element(rest)
            yield body

    def _integer(self, content: _Content) -> int:
        field = bytes(content[:4])
        if len(field) < 4:
            raise BrokenRecording("broken: a variable ends within its description")
        return int.from_bytes(field, self._order)

    def _dtype(self, name: str) -> np.dtype:
        return np.dtype(name).newbyteorder("<" if self._order == "little" else ">")


def _inflated(content: _Stored | bytes, length: int = 0) -> memoryview:
    """What was compressed, or as many bytes of its start; nothing more is read of a file for these."""
    if length:
        content = bytes(content[:length])
    try:
        return memoryview(zlib.decompressobj().decompress(bytes(content), length))
    except zlib.error as error:
        raise BrokenRecording(f"broken: a variable can't be decompressed ({error})") from error
