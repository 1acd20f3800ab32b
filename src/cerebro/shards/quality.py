"""How good a recording and each of its windows are, as numbers; thresholds stand in the configuration."""

from dataclasses import dataclass

import mne
import numpy as np
from scipy.signal import welch

from cerebro.shards.store import LEAST_BIT_UV

FLAT_UV = 1.0
"""A channel that moves less than this (µV, peak to peak, after the 0.5 Hz high-pass) records nothing."""

OUTLIER_DEVIATIONS = 5.0
"""Robust deviations above the other channels that make one noisy (PREP: Bigdely-Shamlo et al. 2015,
https://doi.org/10.3389/fninf.2015.00016, 'robust deviation greater than 5')."""

MAINS_HZ = 60.0
"""Both archives were recorded in the United States."""

_DEVIATION_PER_IQR = 0.7413  # of a normal distribution, as in PREP
_WINDOWS_AT_ONCE = 128
_MAINS_EXCERPT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RecordingQuality:
    """Quality of a recording over its own channels."""

    flat_channels: float
    """Share of channels that record nothing."""
    noisy_channels: float
    """Share of channels with outlying amplitude."""
    amplitude: float
    """Median over live channels of the robust standard deviation, µV; NaN without live channels."""
    line_noise: float
    """Median over channels of the power at the mains frequency against its neighbourhood in the raw file, dB;
    NaN where its sampling rate doesn't reach it."""
    clipped: int
    """Samples beyond the store's range."""


def recording_quality(signal_uv: np.ndarray, *, line_noise: float, clipped: int) -> RecordingQuality:
    """Judge a preprocessed recording, shape (n_chans, n_times), µV."""
    flat = np.ptp(signal_uv, axis=1) < FLAT_UV
    quartiles = np.quantile(signal_uv, [0.25, 0.75], axis=1)
    deviation = _DEVIATION_PER_IQR * (quartiles[1] - quartiles[0])
    noisy = _outlying(deviation[None], ~flat[None])[0]
    return RecordingQuality(
        flat_channels=float(flat.mean()),
        noisy_channels=float(noisy.mean()),
        amplitude=float(np.median(deviation[~flat])) if not flat.all() else float("nan"),
        line_noise=line_noise,
        clipped=clipped,
    )


def mains_power(raw: mne.io.BaseRaw) -> float:
    """Power at 60 Hz against 55 to 65 Hz around it, dB, median over channels, in the file's middle minute."""
    sfreq = raw.info["sfreq"]
    if sfreq / 2 < MAINS_HZ + 5 or raw.n_times < 2 * sfreq:
        return float("nan")
    length = min(raw.n_times, int(_MAINS_EXCERPT_SECONDS * sfreq))
    start = (raw.n_times - length) // 2
    signals = raw.get_data(start=start, stop=start + length, verbose="error")
    frequency, power = welch(signals, fs=sfreq, nperseg=int(2 * sfreq))
    distance = np.abs(frequency - MAINS_HZ)
    peak = power[:, distance <= 1].max(axis=1)
    around = np.median(power[:, (distance > 1) & (distance <= 5)], axis=1)
    live = (peak > 0) & (around > 0)
    return float(np.median(10 * np.log10(peak[live] / around[live]))) if live.any() else float("nan")


def window_quality(samples: np.ndarray, starts: np.ndarray, *, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Judge windows of one recording.

    Parameters
    ----------
    samples
        int16, shape (n_times, n_chans): the channels that the recording has, in steps of the least bit.
    starts
        First samples of the windows, shape (n_windows,).
    length
        Samples of each window.

    Returns
    -------
    peak_to_peak
        Median over live channels of the peak-to-peak amplitude, µV; 0 if all are flat. Shape (n_windows,).
    bad_channels
        Share of channels that are flat or outlying within the window. Shape (n_windows,).
    """
    peak_to_peak, bad = np.zeros(len(starts)), np.zeros(len(starts))
    for first in range(0, len(starts), _WINDOWS_AT_ONCE):
        chosen = starts[first : first + _WINDOWS_AT_ONCE]
        windows = samples[chosen[:, None] + np.arange(length)]
        span = (windows.max(axis=1).astype(np.int32) - windows.min(axis=1)) * LEAST_BIT_UV
        live = span >= FLAT_UV
        some = live.any(axis=1)
        rows = slice(first, first + len(chosen))
        peak_to_peak[rows][some] = np.nanmedian(np.where(live, span, np.nan)[some], axis=1)
        bad[rows] = (~live | _outlying(span, live)).mean(axis=1)
    return peak_to_peak, bad


def _outlying(amplitude: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Mark live channels far above the others of their row, shape (n_rows, n_chans)."""
    outlying = np.zeros(amplitude.shape, dtype=bool)
    some = live.any(axis=1)
    if not some.any():
        return outlying
    among = np.where(live, amplitude, np.nan)[some]
    lower, middle, upper = np.nanquantile(among, [0.25, 0.5, 0.75], axis=1)
    limit = middle + OUTLIER_DEVIATIONS * _DEVIATION_PER_IQR * (upper - lower)
    # With a handful of equal channels the quartiles coincide and any difference would be outlying.
    spread = (upper - lower) > 0
    outlying[some] = live[some] & (amplitude[some] > limit[:, None]) & spread[:, None]
    return outlying
