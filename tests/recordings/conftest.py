"""Small raw files, and real sidecars by name."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import pytest

from cerebro.recordings.events import read_events

WriteSignals = Callable[..., Path]


@pytest.fixture
def write_signals() -> WriteSignals:
    """Write an EDF or BDF file, by suffix: 10 s of a ramp of 1 µV per channel index."""

    def write(
        path: Path,
        labels: Sequence[str],
        *,
        sfreq: int = 100,
        patient: edfio.Patient | None = None,
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        kind, signal = (edfio.Bdf, edfio.BdfSignal) if path.suffix == ".bdf" else (edfio.Edf, edfio.EdfSignal)
        times = np.arange(10 * sfreq) / sfreq
        kind(
            [
                signal(
                    (index + 1) * np.sin(times),
                    sfreq,
                    label=label,
                    physical_dimension="uV",
                    physical_range=(-3000, 3000),
                )
                for index, label in enumerate(labels)
            ],
            patient=patient or edfio.Patient(code="X", birthdate=date(2000, 1, 1)),
        ).write(path)
        return path

    return write


@pytest.fixture
def sidecar_path(sidecars: Path) -> Callable[[str], Path]:
    """Return the events.tsv of a real recording, named as `sub-…_task-…[_run-…]`."""
    return lambda name: sidecars / name.split("_")[0] / "eeg" / f"{name}_events.tsv"


@pytest.fixture
def read_sidecar(sidecar_path: Callable[[str], Path]) -> Callable[[str], pd.DataFrame]:
    """Read the events of a real recording by its name."""
    return lambda name: read_events(sidecar_path(name))
