"""EEGLAB files (`.set`, with `.fdt` or without) as an MNE recording, their events unread.

MNE's own reader refuses a file for events that it does not understand, and looks away where header and
samples disagree about how many there are. Here events are those of the table beside the file, and what is
read of a file is its header: names, places and types of channels, rate, length. EEGLAB's `eeg_checkset`
(https://github.com/sccn/eeglab) says what the fields mean. Signals are in µV; beside the file they are of
single precision, all channels of a sample after each other.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mne
import numpy as np
from pymatreader import read_mat

from cerebro.recordings.contract import refuse_lost, refuse_times
from cerebro.recordings.failures import BrokenRecording, reading
from cerebro.recordings.matlab import Numbers, is_level_5, read_matlab

_FIELDS = ("nbchan", "trials", "pnts", "srate", "chanlocs", "data")
_MATLAB = (b"MATLAB", b"\x89HDF")
_SINGLE = np.dtype("<f4")
_HEAD_RADIUS = 0.095  # m, MNE's default
_NO_EEG = frozenset(mne.io.get_channel_type_constants()) - {"eeg"}


class RawEeglab(mne.io.BaseRaw):
    """An EEGLAB file, its signals in volts, read when they are asked for.

    Parameters
    ----------
    path
        The `.set` file.

    Raises
    ------
    BrokenRecording
        If it is none, is truncated, holds epochs, or its header and its signals disagree.
    FileNotFoundError
        If the file that holds its signals is missing.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            start = stream.read(8)
        if not start.startswith(_MATLAB):
            raise BrokenRecording("not an EEGLAB file (wrong first bytes)")
        header = _read(path)
        if not isinstance(header, Mapping):
            raise BrokenRecording("its variable EEG is no EEGLAB recording")
        n_chans, n_times, trials = (_count(header, name) for name in ("nbchan", "pnts", "trials"))
        if trials != 1:
            raise BrokenRecording(f"it holds {trials} epochs, no continuous recording")
        sfreq = refuse_times(n_times=n_times, rates=(_number(header, "srate"),))
        places = _channels(header.get("chanlocs"))
        if places and len(places) != n_chans:
            raise BrokenRecording(f"its header states {n_chans} channels and names {len(places)}")
        names = [str(place.get("labels", "")) for place in places] or [f"{i + 1}" for i in range(n_chans)]
        types = [_type(place) for place in places] or ["eeg"] * n_chans
        with reading("MNE"):
            info = mne.create_info(names, sfreq, types, verbose="error")
        for channel, place in zip(info["chs"], places, strict=False):
            channel["loc"][:3] = _position(place)
        signals, file = _locate(path, header.get("data"), (n_chans, n_times))
        super().__init__(
            info,
            last_samps=[n_times - 1],
            filenames=[file],
            raw_extras=[{"signals": signals}],
            orig_format="single",
            verbose="error",
        )

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
        extra = self._raw_extras[fi]
        signals = extra["signals"]
        if isinstance(signals, Numbers) and signals.read is not None:
            signals = extra["signals"] = signals.read()  # compressed: all of them, once
        block = signals.columns(start, stop) if isinstance(signals, Numbers) else signals[:, start:stop]
        np.multiply(block[idx], 1e-6, out=data, dtype=np.float64)


def signals_beside(path: Path) -> Path:
    """The file of a `.set` file's signals: the one of its own name, whatever its header calls it."""
    upper = path.with_suffix(".FDT")
    return upper if upper.exists() else path.with_suffix(".fdt")


def _read(path: Path) -> Any:
    """The fields that are needed, whether each is a variable of its own or all are one structure."""
    if is_level_5(path):
        content = read_matlab(path, _FIELDS, within="EEG")
    else:  # HDF5
        with reading("pymatreader"):
            content = read_mat(path, variable_names=["EEG", *_FIELDS])
    header = content.get("EEG", content)
    return header[0] if isinstance(header, list) and header else header


def _locate(path: Path, data: Any, stated: tuple[int, int]) -> tuple[np.ndarray | Numbers, Path]:
    """The signals, shape (n_chans, n_times), and the file that holds them."""
    if isinstance(data, np.ndarray | Numbers):
        signals = data if isinstance(data, Numbers) else np.atleast_2d(data)
        _refuse_other_shape(path, signals.shape, stated)
        if signals.dtype.kind not in "iuf":
            raise BrokenRecording(f"its signals (data) are of the kind '{signals.dtype}'")
        return signals, path
    if not isinstance(data, str):
        raise BrokenRecording("it has no signals (data)")
    beside = signals_beside(path)
    size = beside.stat().st_size / _SINGLE.itemsize
    refuse_lost(beside.name, held=size / stated[0], promised=stated[1])
    _refuse_other_shape(beside, (size / stated[1], stated[1]), stated)
    return Numbers(beside, stated, _SINGLE, 0, None), beside


def _refuse_other_shape(file: Path, found: tuple[float, ...], stated: tuple[int, int]) -> None:
    if len(found) == 2:
        refuse_lost(file.name, held=found[1], promised=stated[1])
    if tuple(found) != stated:
        raise BrokenRecording(
            f"its header states {stated[0]} channels of {stated[1]} samples, {file.name} holds "
            f"{' x '.join(f'{size:.10g}' for size in found)}"
        )


def _number(header: Mapping[str, Any], name: str) -> float:
    value = header.get(name)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, str | bool) or not np.isscalar(value) or not math.isfinite(np.real(value)):
        raise BrokenRecording(f"its header states no {name}")
    return float(np.real(value))


def _count(header: Mapping[str, Any], name: str) -> int:
    value = _number(header, name)
    if value < 1 or value != int(value):
        raise BrokenRecording(f"its header states {value:g} as {name}")
    return int(value)


def _channels(chanlocs: Any) -> list[Mapping[str, Any]]:
    """What is said of each channel; pymatreader reads an array of structures as one structure of lists."""
    if isinstance(chanlocs, Mapping):
        if not isinstance(chanlocs.get("labels"), list | tuple):
            return [chanlocs]
        lists = {key: values for key, values in chanlocs.items() if isinstance(values, list | tuple)}
        return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=False)]
    if isinstance(chanlocs, list | tuple):
        return [one for one in chanlocs if isinstance(one, Mapping)]
    return []


def _type(place: Mapping[str, Any]) -> str:
    kind = str(place.get("type", "")).strip().lower()
    return "misc" if kind in _NO_EEG else "eeg"


def _position(place: Mapping[str, Any]) -> list[float]:
    """Where a channel lies, in MNE's axes: EEGLAB's x points to the nose, its y to the left ear."""
    try:
        x, y, z = (float(np.asarray(place.get(axis, np.nan)).item()) for axis in "XYZ")
    except (TypeError, ValueError):  # empty, where there is no place
        return [np.nan] * 3
    length = math.hypot(x, y, z)
    return [_HEAD_RADIUS * axis / length if length else 0.0 for axis in (-y, x, z)]
