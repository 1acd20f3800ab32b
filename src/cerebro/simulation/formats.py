"""Writing one recording in the file format of its archive: 24-bit BDF, EEGLAB, 16-bit EDF.

The same input gives the same bytes: no file carries the time at which it was written.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from edfio import Bdf, BdfSignal, Edf, EdfSignal, Patient, Recording
from eeglabio.raw import export_set
from numpy.typing import NDArray

from cerebro.files import atomic_path
from cerebro.simulation.signals import Signal
from cerebro.simulation.timeline import Event

_BDF_RANGE_UV = (-83886.08, 83886.07)  # least bit 0.01 µV
_EDF_RANGE_UV = (-5000.0, 5000.0)  # least bit 0.15 µV, as in the TUH corpus
_MAT_HEADER = b"MATLAB 5.0 MAT-file"
_MAT_HEADER_BYTES = 116


def write_bdf(path: Path, data: Signal, *, names: Sequence[str], sfreq: float) -> None:
    """Write ``data`` (n_channels, n_times) in µV; the length must be whole seconds."""
    signals = [
        BdfSignal(channel, sfreq, label=name, physical_dimension="uV", physical_range=_BDF_RANGE_UV)
        for name, channel in zip(names, np.clip(data, *_BDF_RANGE_UV), strict=True)
    ]
    with atomic_path(path) as temporary:
        Bdf(signals, data_record_duration=1).write(temporary)


def write_set(
    path: Path,
    data: Signal,
    *,
    directions: dict[str, NDArray[np.float64]],
    sfreq: float,
    events: Sequence[Event],
) -> None:
    """Write ``data`` (n_channels, n_times) in µV as an EEGLAB ``.set``, signals inside, single precision.

    Parameters
    ----------
    directions
        Electrode names, in order, and their directions (x right, y front, z up).
    """
    # EEGLAB's x points to the nose and its y to the left
    locations = np.array([[y, -x, z] for x, y, z in directions.values()])
    annotations = [
        np.array([event.value for event in events]),
        np.array([event.onset for event in events]),
        np.zeros(len(events)),
    ]
    # under its own name in a folder of its own, since the name becomes a part of the file
    with atomic_path(path) as whole, TemporaryDirectory() as folder:
        temporary = Path(folder) / path.name
        export_set(
            str(temporary),
            data * np.float32(1e-6),  # eeglabio takes volts
            sfreq,
            list(directions),
            ch_locs=locations,
            annotations=annotations,
            ref_channels="Cz",
            ch_types=["EEG"] * len(directions),
        )
        with temporary.open("r+b") as stream:  # MATLAB's header text holds the date
            stream.write(_MAT_HEADER.ljust(_MAT_HEADER_BYTES))
        shutil.copyfile(temporary, whole)


def write_edf(
    path: Path,
    channels: dict[str, Signal],
    *,
    sfreq: float,
    patient: Patient,
    recording: Recording,
) -> None:
    """Write ``channels`` (name to µV (n_times,)) with the header's patient and recording fields."""
    signals = [
        EdfSignal(
            np.clip(channel, *_EDF_RANGE_UV),
            sfreq,
            label=name,
            physical_dimension="uV",
            physical_range=_EDF_RANGE_UV,
        )
        for name, channel in channels.items()
    ]
    with atomic_path(path) as temporary:
        Edf(signals, patient=patient, recording=recording, data_record_duration=1).write(temporary)
