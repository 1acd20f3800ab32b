"""What the electrodes add: noise, mains, drift, muscle, and channels that fail."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cerebro.simulation import effects
from cerebro.simulation.head import TEN_TWENTY, electrode_directions
from cerebro.simulation.signals import Signal, aperiodic

_MUSCLE_SPREAD_DEG = 22.0
_DRIFTS = 6  # independent slow courses; every electrode has its own mixture


def add_sensor_noise(data: Signal, *, microvolts: float, sfreq: float, rng: np.random.Generator) -> None:
    """White noise of each electrode, in place; its mean strength refers to 0.5 to 50 Hz."""
    gains = microvolts * np.exp(0.3 * rng.standard_normal(len(data)))
    gains *= np.sqrt(sfreq / 2 / 50)
    for channel, gain in zip(data, gains, strict=True):
        channel += np.float32(gain) * rng.standard_normal(len(channel), dtype=np.float32)


def add_mains(data: Signal, *, sfreq: float, rng: np.random.Generator) -> None:
    """Hum at 60 Hz, in place: another strength in every electrode, one phase."""
    times = np.arange(data.shape[1]) / sfreq
    hum = np.sin(2 * np.pi * effects.LINE_HZ * times + rng.uniform(0, 2 * np.pi)).astype(np.float32)
    strength = rng.gamma(1.5, effects.LINE_UV / 1.5, len(data)).astype(np.float32)
    for channel, size in zip(data, strength, strict=True):
        channel += size * hum


def add_drift(data: Signal, *, sfreq: float, rng: np.random.Generator) -> None:
    """Slow wandering below 0.3 Hz of sweat and electrodes, in place."""
    length = fft.next_fast_len(data.shape[1], real=True)
    frequencies = fft.rfftfreq(length, 1 / sfreq)
    slow = int((frequencies < 0.3).sum())
    spectrum = np.zeros((_DRIFTS, len(frequencies)), dtype=np.complex64)
    steepness = 1 / np.arange(1, slow)
    spectrum[:, 1:slow] = steepness * rng.standard_normal((_DRIFTS, slow - 1, 2)).view(complex)[..., 0]
    courses = fft.irfft(spectrum, length, axis=1)[:, : data.shape[1]]
    courses /= courses.std(axis=1, keepdims=True)
    mixture = effects.DRIFT_UV / np.sqrt(_DRIFTS) * rng.standard_normal((len(data), _DRIFTS))
    data += mixture.astype(np.float32) @ courses


def add_muscle(
    data: Signal,
    *,
    directions: NDArray[np.float64],
    microvolts: float,
    sfreq: float,
    rng: np.random.Generator,
) -> None:
    """Bursts of the temporal muscles, in place: fast activity of the electrodes near one temple.

    Parameters
    ----------
    data : array, shape (n_channels, n_times)
        µV.
    directions : array, shape (n_channels, 3)
        Where the electrodes sit.
    microvolts
        RMS of a burst of median strength.
    """
    cap = electrode_directions(TEN_TWENTY)
    minutes = data.shape[1] / sfreq / 60
    for _ in range(rng.poisson(effects.MUSCLE_PER_MINUTE * minutes)):
        temple = cap[rng.choice(["F7", "F8", "T7", "T8"])]
        angle = np.rad2deg(np.arccos(np.clip(directions @ temple, -1, 1)))
        weights = np.exp(-0.5 * (angle / _MUSCLE_SPREAD_DEG) ** 2)
        near = np.flatnonzero(weights > 0.05)
        n_times = min(round(rng.uniform(0.3, 2.5) * sfreq), data.shape[1])
        start = rng.integers(0, data.shape[1] - n_times + 1)
        burst = aperiodic(rng, count=len(near), n_times=n_times, sfreq=sfreq, exponent=-1.0)
        size = microvolts * np.exp(0.4 * rng.standard_normal())
        envelope = np.hanning(n_times + 2)[1:-1]
        burst *= (size * weights[near, np.newaxis] * envelope).astype(np.float32)
        data[near, start : start + n_times] += burst


def break_channels(
    data: Signal, *, mean: float, spared: int | None, sfreq: float, rng: np.random.Generator
) -> None:
    """Let some channels fail throughout, in place: flat, popping, or noisy.

    Parameters
    ----------
    mean
        How many fail on average.
    spared
        A channel that never fails: the recording's reference.
    """
    count = min(rng.poisson(mean), len(data) // 4)
    n_times = data.shape[1]
    for index in rng.choice(len(data), count, replace=False):
        fault = rng.choice(["flat", "popping", "noisy"])
        if index == spared:
            continue
        if fault == "flat":
            data[index] = 0
        elif fault == "noisy":
            data[index] += effects.NOISY_UV * rng.standard_normal(n_times, dtype=np.float32)
        else:
            times = np.arange(round(2 * sfreq)) / sfreq
            pop = np.exp(-times / 0.5).astype(np.float32)
            for onset in rng.integers(0, n_times, 1 + rng.poisson(n_times / sfreq / 10)):
                size = effects.POP_UV * rng.choice([-1, 1]) * np.exp(0.5 * rng.standard_normal())
                where = slice(onset, min(onset + len(pop), n_times))
                data[index, where] += np.float32(size) * pop[: where.stop - onset]
