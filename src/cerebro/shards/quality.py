"""How good a recording and each of its windows are, as numbers; thresholds stand in the configuration."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cerebro.shards.channel_quality import DEVIATION_PER_IQR, robust_deviation
from cerebro.shards.store import LEAST_BIT_UV

FLAT_UV = 1.0
"""A channel that moves less than this (µV, peak to peak) within a window records nothing there."""

OUTLIER_DEVIATIONS = 5.0
"""Robust deviations above the other channels that make one bad within a window (PREP: Bigdely-Shamlo et al.
2015, https://doi.org/10.3389/fninf.2015.00016, 'robust deviation greater than 5')."""

_WINDOWS_AT_ONCE = 128


@dataclass(frozen=True, kw_only=True)
class RecordingQuality:
    """Quality of a recording over its own channels."""

    flat_channels: float
    """Share of channels that are bad because they record nothing."""
    noisy_channels: float
    """Share of channels that are bad because they are noisy."""
    amplitude: float
    """Median over live channels of the robust standard deviation, µV; NaN without live channels."""
    line_noise: float
    """Median over channels of the power at the mains frequency against its neighbourhood in the raw file, dB;
    NaN where its sampling rate doesn't reach it."""
    clipped: int
    """Samples beyond the store's range."""


def recording_quality(
    signal_uv: np.ndarray, *, bad: Mapping[str, str], hum_db: np.ndarray, clipped: int
) -> RecordingQuality:
    """Sum up a preprocessed recording, shape (n_chans, n_times), µV, and what was found of its channels."""
    count = Counter(bad.values())
    deviation = robust_deviation(signal_uv)
    live = np.ptp(signal_uv, axis=1) >= FLAT_UV
    return RecordingQuality(
        flat_channels=count["flat"] / len(signal_uv),
        noisy_channels=count["noisy"] / len(signal_uv),
        amplitude=float(np.median(deviation[live])) if live.any() else float("nan"),
        line_noise=float(np.nanmedian(hum_db)) if np.isfinite(hum_db).any() else float("nan"),
        clipped=clipped,
    )


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
    limit = middle + OUTLIER_DEVIATIONS * DEVIATION_PER_IQR * (upper - lower)
    # With a handful of equal channels the quartiles coincide and any difference would be outlying.
    spread = (upper - lower) > 0
    outlying[some] = live[some] & (amplitude[some] > limit[:, None]) & spread[:, None]
    return outlying
