"""One recording: sources through the head to electrodes, plus what the electrodes add, in µV."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cerebro.simulation import artefacts, effects
from cerebro.simulation.brain import activity
from cerebro.simulation.head import lead_field
from cerebro.simulation.signals import Signal, band_pass
from cerebro.simulation.sources import individual_sources, jitter
from cerebro.simulation.subjects import Subject, stand_in, subject_rng
from cerebro.simulation.timeline import Timeline


@dataclass(frozen=True)
class Amplifier:
    """How a recording was made."""

    directions: dict[str, NDArray[np.float64]]
    """Electrodes and their ideal places, in the file's order."""
    reference: tuple[str, ...]
    """Electrodes whose mean is subtracted from all."""
    sfreq: float
    band_limited: bool
    """Whether the archive removed what lies below 0.5 Hz; at 100 Hz there is no hum either."""
    faulty_channels: float
    """Mean number of channels that fail."""


def subject_lead_field(
    subject: Subject, directions: dict[str, NDArray[np.float64]], *, seed: int
) -> NDArray[np.float64]:
    """Potentials of one subject's sources at one montage, in µV per unit of activity.

    Head size and anatomy belong to the subject; the cap sits a little askew.

    Returns
    -------
    array, shape (n_electrodes, n_sources)
    """
    sources = individual_sources(
        subject_rng(seed, subject.name, "anatomy"), degrees=subject.effects.source_jitter_deg
    )
    field = lead_field(
        _worn(subject, directions, seed),
        positions=sources.positions,
        orientations=sources.orientations,
        radius=subject.head_radius,
    )
    return field * sources.moments


def _worn(subject: Subject, directions: dict[str, NDArray[np.float64]], seed: int) -> NDArray[np.float64]:
    rng = subject_rng(seed, subject.name, "cap")
    tilt = Rotation.from_rotvec(np.deg2rad(effects.CAP_ROTATION_DEG) * rng.standard_normal(3))
    ideal = np.array(list(directions.values()))
    return jitter(tilt.apply(ideal), degrees=effects.ELECTRODE_JITTER_DEG, rng=rng)


def record(subject: Subject, timeline: Timeline, *, amplifier: Amplifier, name: str, seed: int) -> Signal:
    """Simulate a recording.

    Parameters
    ----------
    name
        Of the recording within the subject: recordings of other names get other noise.
    seed
        Of the population.

    Returns
    -------
    array, shape (n_channels, n_times)
        µV against the reference; a flat channel is zero throughout.
    """
    if not subject.effects.coupled:
        subject, timeline = stand_in(subject, seed), Timeline(seconds=timeline.seconds)
    rng = subject_rng(seed, subject.name, name, "signal")
    field = subject_lead_field(subject, amplifier.directions, seed=seed).astype(np.float32)
    data = field @ activity(subject, timeline, sfreq=amplifier.sfreq, seed=seed, rng=rng)
    artefacts.add_sensor_noise(
        data, microvolts=subject.effects.sensor_noise_uv, sfreq=amplifier.sfreq, rng=rng
    )
    artefacts.add_muscle(
        data,
        directions=np.array(list(amplifier.directions.values())),
        microvolts=subject.effects.muscle_uv,
        sfreq=amplifier.sfreq,
        rng=rng,
    )
    if not amplifier.band_limited:
        artefacts.add_mains(data, sfreq=amplifier.sfreq, rng=rng)
        artefacts.add_drift(data, sfreq=amplifier.sfreq, rng=rng)
    names = list(amplifier.directions)
    rows = [names.index(electrode) for electrode in amplifier.reference]
    data -= data[rows].mean(axis=0)
    artefacts.break_channels(
        data,
        mean=amplifier.faulty_channels,
        spared=rows[0] if len(rows) == 1 else None,
        sfreq=amplifier.sfreq,
        rng=rng,
    )
    return band_pass(data, sfreq=amplifier.sfreq, low=0.5) if amplifier.band_limited else data
