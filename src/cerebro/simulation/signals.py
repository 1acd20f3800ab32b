"""Noise with a given spectrum: the aperiodic background and the rhythms, drawn in the frequency domain.

Drawing at the sampling rate of the file avoids a filter and a resampling for every recording.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Signal = NDArray[np.float32]


def aperiodic(rng: np.random.Generator, *, count: int, n_times: int, sfreq: float, exponent: float) -> Signal:
    """Noise whose power falls as frequency to ``-exponent``, flat below 0.5 Hz.

    Returns
    -------
    array, shape (count, n_times)
        With unit variance between 0.5 and 50 Hz.
    """
    length = fft.next_fast_len(n_times, real=True)
    frequencies = fft.rfftfreq(length, 1 / sfreq)
    power = np.maximum(frequencies, 0.5) ** -exponent
    power[0] = 0
    power /= power[(frequencies >= 0.5) & (frequencies <= 50)].sum()
    return _draw(rng, count=count, length=length, power=power)[:, :n_times]


def rhythm(
    rng: np.random.Generator,
    *,
    count: int,
    n_times: int,
    sfreq: float,
    frequency: float,
    bandwidth: float,
    harmonic: float = 0.0,
) -> Signal:
    """Oscillations that wax and wane: a Gaussian peak in the spectrum, with a phase-locked first harmonic.

    Parameters
    ----------
    count, n_times, sfreq
        Number of independent signals, samples, and Hz.
    frequency, bandwidth
        Centre and standard deviation of the peak, Hz.
    harmonic
        RMS of the component at twice the frequency, relative to the first; it makes the wave non-sinusoidal.

    Returns
    -------
    array, shape (count, n_times)
        With unit variance apart from the harmonic.
    """
    length = fft.next_fast_len(n_times)
    frequencies = fft.rfftfreq(length, 1 / sfreq)
    power = np.exp(-0.5 * ((frequencies - frequency) / bandwidth) ** 2)
    power /= power.sum()
    spectrum = _spectrum(rng, count=count, length=length, power=power)
    if not harmonic:
        return fft.irfft(spectrum, length, axis=1)[:, :n_times]
    analytic = np.zeros((count, length), dtype=np.complex64)
    analytic[:, : spectrum.shape[1]] = 2 * spectrum
    analytic = fft.ifft(analytic, axis=1, overwrite_x=True)[:, :n_times]
    second = (analytic**2).real
    return analytic.real + np.float32(harmonic) * second / second.std(axis=1, keepdims=True)


def band_pass(data: Signal, *, sfreq: float, low: float) -> Signal:
    """Remove what lies below ``low`` Hz, with a smooth edge of one octave and no phase shift.

    Only the lower edge is needed: signals are drawn at the file's rate, so that nothing lies above its half.
    """
    length = fft.next_fast_len(data.shape[1], real=True)
    frequencies = fft.rfftfreq(length, 1 / sfreq)
    ramp = np.clip((frequencies - low / 2) / (low / 2), 0, 1)
    gain = (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
    return fft.irfft(fft.rfft(data, length, axis=1) * gain, length, axis=1)[:, : data.shape[1]]


def _draw(rng: np.random.Generator, *, count: int, length: int, power: NDArray[np.float64]) -> Signal:
    return fft.irfft(_spectrum(rng, count=count, length=length, power=power), length, axis=1)


def _spectrum(
    rng: np.random.Generator, *, count: int, length: int, power: NDArray[np.float64]
) -> NDArray[np.complex64]:
    """Random Fourier coefficients whose inverse transform has variance ``power.sum()``."""
    normal = rng.standard_normal((count, len(power), 2), dtype=np.float32)
    scale = (length / 2 * np.sqrt(power)).astype(np.float32)
    return normal.view(np.complex64)[..., 0] * scale
