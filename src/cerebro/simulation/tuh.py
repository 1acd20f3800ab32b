"""TUEG and TUAB on disk: EDF files in their folder layouts, with their channel names and header fields."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from edfio import Patient, Recording

from cerebro.config import Simulation
from cerebro.simulation import effects, timeline
from cerebro.simulation.formats import write_edf
from cerebro.simulation.head import TEN_TWENTY, electrode_directions
from cerebro.simulation.populations import POPULATIONS
from cerebro.simulation.recording import Amplifier, record
from cerebro.simulation.signals import Signal
from cerebro.simulation.subjects import Subject, draw_patient, patient_name, subject_rng

ELECTRODES = (
    "Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2",
    "F7", "F8", "T3", "T4", "T5", "T6", "A1", "A2", "Fz", "Cz", "Pz",
)  # fmt: skip
EARS = ("A1", "A2")
MONTAGES = {
    "01_tcp_ar": ("REF", True),
    "02_tcp_le": ("LE", True),
    "03_tcp_ar_a": ("REF", False),
}
"""Folder of a montage: the suffix of its channels' names, and whether A1 and A2 were recorded."""
_MONTAGE_SHARES = (0.7, 0.2, 0.1)
_HEADERS_WITHOUT_AGE = 0.1
_FIRST_OF_TUAB = 5000
"""Number of the first patient of TUAB, above all of TUEG."""


def write_patient(root: Path, *, index: int, settings: Simulation) -> dict[str, Any]:
    """Write one patient's recording below ``root`` (the ``edf`` folder of TUEG).

    Returns
    -------
    dict
        The patient's row of the ground truth.
    """
    subject = draw_patient(settings.seed, patient_name(index), POPULATIONS[settings.effects])

    def place(montage: str, date: datetime.date, rng: np.random.Generator) -> Path:
        session = f"s001_{date:%Y_%m_%d}" if rng.random() < 0.8 else f"s001_{date:%Y}"
        return root / f"{index // 100:03d}" / subject.name / session / montage

    _write(subject, place, settings)
    return {"archive": "tuh", "release": "", **subject.latents()}


def write_tuab_patient(root: Path, *, index: int, settings: Simulation) -> dict[str, Any]:
    """Write one patient's recording below ``root`` (the ``edf`` folder of TUAB), every second one abnormal.

    Of six patients two lie below ``eval``, one of them abnormal. None of them is in the simulated TUEG.

    Returns
    -------
    dict
        The patient's row of the ground truth.
    """
    name = patient_name(_FIRST_OF_TUAB + index)
    subject = draw_patient(settings.seed, name, POPULATIONS[settings.effects])
    abnormal = index % 2 == 1
    if abnormal:
        subject = replace(
            subject,
            alpha_hz=subject.alpha_hz + effects.CLINICAL_SLOWING_HZ,
            exponent=subject.exponent + effects.ABNORMAL_EXPONENT,
        )
    folder = root / ("eval" if index // 2 % 3 == 2 else "train") / ("abnormal" if abnormal else "normal")
    _write(subject, lambda montage, _date, _rng: folder / montage, settings)
    return {"archive": "tuab", "release": "", **subject.latents()}


def _write(
    subject: Subject,
    place: Callable[[str, datetime.date, np.random.Generator], Path],
    settings: Simulation,
) -> None:
    """Write a recording into the folder that its montage and date say."""
    rng = subject_rng(settings.seed, subject.name, "clinic")
    montage = str(rng.choice(list(MONTAGES), p=_MONTAGE_SHARES))
    suffix, with_ears = MONTAGES[montage]
    sfreq = float(rng.choice([250.0, 256.0]))
    date = datetime.date(2002, 1, 1) + datetime.timedelta(days=int(rng.integers(0, 5000)))
    known = bool(rng.random() >= _HEADERS_WITHOUT_AGE)
    cap = electrode_directions(TEN_TWENTY)
    electrodes = [name for name in ELECTRODES if with_ears or name not in EARS]
    scalp = tuple(name for name in electrodes if name not in EARS)
    amplifier = Amplifier(
        directions={name: cap[name] for name in electrodes},
        reference=EARS if suffix == "LE" else scalp,
        sfreq=sfreq,
        band_limited=False,
        faulty_channels=effects.CLINICAL_FAULTY_CHANNELS,
    )
    course = timeline.clinical(seconds=float(np.ceil(settings.tuh_seconds)), rng=rng)
    data = record(subject, course, amplifier=amplifier, name="s001_t000", seed=settings.seed)
    channels = {f"EEG {name.upper()}-{suffix}": row for name, row in zip(electrodes, data, strict=True)}
    channels |= _other_channels(data.shape[1], sfreq=sfreq, suffix=suffix, rng=rng)
    write_edf(
        place(montage, date, rng) / f"{subject.name}_s001_t000.edf",
        channels,
        sfreq=sfreq,
        patient=_patient(subject, date.year, known=known),
        recording=Recording(startdate=date),
    )


def _patient(subject: Subject, year: int, *, known: bool) -> Patient:
    """The header's patient field: id, sex, birth year, id again and ``Age:NN``; a few say nothing."""
    if not known:
        return Patient(code=subject.name, name=subject.name)
    return Patient(
        code=subject.name,
        sex="M" if subject.male else "F",
        birthdate=datetime.date(year - int(subject.age), 1, 1),
        name=subject.name,
        additional=(f"Age:{int(subject.age)}",),
    )


def _other_channels(
    n_times: int, *, sfreq: float, suffix: str, rng: np.random.Generator
) -> dict[str, Signal]:
    """What clinical files hold besides EEG: the heart, the photic stimulator, muscle, and empty channels."""
    times = np.arange(n_times) / sfreq
    beats = np.cumsum(rng.normal(0.85, 0.05, int(n_times / sfreq / 0.6)))
    heart = np.zeros(n_times, dtype=np.float32)
    for beat in beats[beats < n_times / sfreq - 1]:
        near = slice(int(beat * sfreq), int((beat + 0.5) * sfreq))
        phase = times[near] - beat
        heart[near] += 800 * np.exp(-0.5 * ((phase - 0.1) / 0.012) ** 2)
        heart[near] += 150 * np.exp(-0.5 * ((phase - 0.33) / 0.04) ** 2)
    muscle = 15 * rng.standard_normal(n_times, dtype=np.float32)
    empty = np.zeros(n_times, dtype=np.float32)
    return {
        f"EEG EKG1-{suffix}": heart,
        f"EMG-{suffix}": muscle,
        f"PHOTIC-{suffix}": empty,
        "IBI": empty,
        "BURSTS": empty,
        "SUPPR": empty,
    }
