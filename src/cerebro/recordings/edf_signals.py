"""Signals of EDF and BDF files as an MNE recording, scaled as their header says.

Read here, not by MNE's reader, so that a file has one header and one verdict: what
:func:`~cerebro.recordings.edf.read_edf_header` accepts can be read. On sound files both give the same values.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np

from cerebro.recordings.edf import EdfHeader, annotation_bytes
from cerebro.recordings.failures import BrokenRecording

_AT_ONCE_BYTES = 10 * 2**20
_ANNOTATION = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14([^\x00]*)\x14")


class RawEdf(mne.io.BaseRaw):
    """Chosen signals of an EDF or BDF file in volts, read from the disk when they are asked for.

    Parameters
    ----------
    path, header
        The file and what its header says.
    names
        Index of each signal to read and the name to give it.
    volts
        What each signal's unit is in volts, in the same order.
    sfreq
        Their sampling rate in Hz.
    """

    def __init__(
        self, path: Path, header: EdfHeader, *, names: Mapping[int, str], volts: Sequence[float], sfreq: float
    ) -> None:
        chosen = tuple(names)
        extra = {"header": header, "chosen": chosen, "scales": [header.scale(index) for index in chosen]}
        n_times = header.records * header.samples[chosen[0]]
        super().__init__(
            mne.create_info(list(names.values()), sfreq, "eeg", verbose="error"),
            last_samps=[n_times - 1],
            filenames=[path],
            raw_extras=[extra | {"volts": tuple(volts)}],
            orig_format="int",
            verbose="error",
        )
        self.set_annotations(_edges(path, header), verbose="error")

    def _read_segment_file(
        self,
        data: np.ndarray,
        idx: slice | np.ndarray,
        fi: int,
        start: int,
        stop: int,
        cals: np.ndarray,
        mult: Any,
    ) -> None:
        header, chosen, scales, volts = (
            self._raw_extras[fi][key] for key in ("header", "chosen", "scales", "volts")
        )
        rows = np.arange(len(chosen))[idx]
        per_record, width = header.samples[chosen[0]], header.starts[-1]
        at_once = max(1, _AT_ONCE_BYTES // width)
        first, last = start // per_record, -(-stop // per_record)
        with self.filenames[fi].open("rb", buffering=0) as stream:
            stream.seek(header.header_bytes + first * width)
            for begin in range(first, last, at_once):
                count = min(at_once, last - begin)
                content = np.fromfile(stream, np.uint8, count * width)
                if content.size < count * width:
                    raise BrokenRecording(f"the file ends within its data record {begin + count}")
                # of these samples, those that were asked for, and where they go
                begins = begin * per_record
                wanted = slice(max(start - begins, 0), min(stop - begins, count * per_record))
                place = slice(begins + wanted.start - start, begins + wanted.stop - start)
                for row, channel in enumerate(rows):
                    gain, offset = scales[channel]
                    digital = _decode(content.reshape(count, width), header, chosen[channel])
                    data[row, place] = (digital[wanted] * gain + offset) * volts[channel]


def _decode(records: np.ndarray, header: EdfHeader, signal: int) -> np.ndarray:
    """The samples of one signal, as integers."""
    begin, end = header.starts[signal : signal + 2]
    own = np.ascontiguousarray(records[:, begin:end])
    if header.bytes_per_sample == 2:
        return own.view("<i2").ravel()
    wide = np.zeros((own.size // 3, 4), np.uint8)  # three bytes as the upper ones of four keep their sign
    wide[:, 1:] = own.reshape(-1, 3)
    return wide.view("<i4").ravel() >> 8


def _edges(path: Path, header: EdfHeader) -> mne.Annotations:
    """What the file notes of itself, such as the edges at which it was put together."""
    with path.open("rb") as stream:
        contents = annotation_bytes(stream, header)
    found = [
        (float(onset), float(duration or 0), text.decode("utf-8", errors="replace"))
        for content in contents
        for onset, duration, texts in _ANNOTATION.findall(content)
        for text in texts.split(b"\x14")
        if text
    ]
    onsets, durations, texts = zip(*found, strict=True) if found else ((), (), ())
    return mne.Annotations(onsets, durations, texts)
