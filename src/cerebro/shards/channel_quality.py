"""Which channels of a recording are bad, and why: flat, clipped, drop-outs, noisy, line noise.

What a filter would hide (flat seconds, the amplifier's limits, hum) is measured in the file's own samples,
the rest in the preprocessed signal. Every measure and its source: docs/quality.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import welch

from cerebro.config import Quality

REASONS = ("flat", "clipped", "dropouts", "noisy", "line_noise")
"""Why a channel is bad; of several reasons the first of these is kept."""

DEVIATION_PER_IQR = 0.7413
"""Standard deviation of a normal distribution from its interquartile range, as in PREP."""

LEAST_OUTLYING_RATIO = 3.0
"""A channel's amplitude must also be this many times the median channel's to be noisy: a strong alpha rhythm
reaches 2.6 times in simulated recordings, and in quiet ones that is many robust deviations."""

LEAST_PREDICTORS = 16
"""With fewer channels than the smallest clinical montage has, none can be predicted from the others."""

_RIDGE = 1e-3  # of the median channel's variance: neighbours in a dense net are nearly the same
_QUARTILE_SAMPLES = 20_000  # quartiles of more samples than these differ by less than a percent
_SECONDS_AT_ONCE = 600
_MAINS_EXCERPT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RawFacts:
    """What the samples of a file say about its channels, before any filter."""

    flat: np.ndarray
    """bool, shape (n_chans, n_seconds): seconds in which a channel does not move."""
    clipped: np.ndarray
    """Share of samples in runs at the channel's own limits, shape (n_chans,)."""
    hum_uv: np.ndarray
    """Amplitude at the mains frequency, µV RMS, shape (n_chans,); NaN where the sampling rate is too low."""
    hum_db: np.ndarray
    """Its power against its neighbourhood, dB, shape (n_chans,); NaN there and in flat channels."""


def raw_facts(signal_uv: np.ndarray, *, sfreq: float, settings: Quality) -> RawFacts:
    """Measure channels in a file's own samples, shape (n_chans, n_times), µV."""
    step = min(round(sfreq), signal_uv.shape[1])
    seconds = _cut(signal_uv, step)
    hum_uv, hum_db = _hum(signal_uv, sfreq, float(settings.mains_hz))
    return RawFacts(
        flat=seconds.max(axis=-1) - seconds.min(axis=-1) < settings.flat_uv,
        clipped=np.array([_at_limits(channel, settings.flat_uv) for channel in signal_uv]),
        hum_uv=hum_uv,
        hum_db=hum_db,
    )


def join_facts(blocks: Sequence[RawFacts]) -> RawFacts:
    """Join the facts of blocks of channels."""
    return RawFacts(
        **{
            name: np.concatenate([getattr(block, name) for block in blocks])
            for name in RawFacts.__dataclass_fields__
        }
    )


def bad_channels(
    signal_uv: np.ndarray,
    facts: RawFacts,
    *,
    names: Sequence[str],
    reference: str,
    beyond_store: np.ndarray,
    sfreq: float,
    settings: Quality,
) -> dict[str, str]:
    """Name the bad channels of a recording.

    Parameters
    ----------
    signal_uv
        float32, shape (n_chans, n_times): the preprocessed signal, in any reference.
    facts
        What its file's samples say.
    names, reference
        Channel names, and the one that all are referenced to (anything else where there is none): it is
        flat by nature, and no fault.
    beyond_store
        Share of its samples that are too large to be stored, shape (n_chans,).
    sfreq
        Of the preprocessed signal, Hz.
    settings
        The thresholds.

    Returns
    -------
    dict
        Name to reason, one of :data:`REASONS`, in the channels' order.
    """
    flat_share = _share_in_live_seconds(facts.flat)
    found = {reason: np.zeros(len(names), dtype=bool) for reason in REASONS}
    found["flat"] = (np.ptp(signal_uv, axis=1) < settings.flat_uv) | (flat_share > 0.5)
    found["clipped"] = facts.clipped + beyond_store > settings.max_clipped
    found["dropouts"] = flat_share > settings.max_dropouts
    live = ~found["flat"]
    if live.any():
        # The median over channels is a reference that a few bad ones cannot move. Unlike the mean it leaves
        # channels linearly independent: none can be predicted merely because all of them add up to zero.
        referenced = signal_uv[live] - np.median(signal_uv[live], axis=0)
        deviation = robust_deviation(referenced)
        outlying = _log_outliers(deviation, settings.noisy_deviations)
        found["noisy"][live] = outlying & (deviation > LEAST_OUTLYING_RATIO * np.median(deviation))
        if live.sum() >= LEAST_PREDICTORS:
            unlike = uncorrelated_share(referenced, sfreq=sfreq, settings=settings)
            found["noisy"][live] |= unlike > settings.max_uncorrelated
        found["line_noise"] = _humming(facts.hum_uv, live, deviation, settings)
    reasons: Mapping[str, str] = {
        name: next((reason for reason in REASONS if found[reason][index]), "")
        for index, name in enumerate(names)
    }
    return {
        name: reason
        for name, reason in reasons.items()
        if reason and not (name == reference and reason == "flat")
    }


def uncorrelated_share(signal_uv: np.ndarray, *, sfreq: float, settings: Quality) -> np.ndarray:
    """Share of seconds in which each channel is unlike what the others predict for it.

    The prediction is linear, from all other channels, each second weighing the same so that one movement does
    not decide it. All of them come out of one matrix: with the inverse covariance P, what the others leave
    unexplained of channel i is (P x)_i / P_ii.

    Parameters
    ----------
    signal_uv
        Shape (n_chans, n_times), in a reference common to all channels that isn't their mean.
    sfreq
        Hz.
    settings
        ``min_correlation``, and ``flat_uv``: seconds in which a channel is flat are not its noise.

    Returns
    -------
    numpy.ndarray
        Shape (n_chans,).
    """
    step = round(sfreq)
    if signal_uv.shape[1] < step:
        return np.zeros(len(signal_uv))
    seconds = _cut(signal_uv, step)
    seconds = seconds - seconds.mean(axis=-1, keepdims=True)
    flat = seconds.max(axis=-1) - seconds.min(axis=-1) < settings.flat_uv
    seconds /= seconds.std(axis=(0, 2), keepdims=True) + np.float32(1e-6)
    together = seconds.reshape(len(seconds), -1)
    covariance = (together @ together.T / together.shape[1]).astype(np.float64)
    ridge = _RIDGE * np.median(np.diag(covariance)) + 1e-12
    precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))
    unexplained = (precision / np.diag(precision)[:, None]).astype(np.float32)
    correlation = np.zeros(seconds.shape[:2], dtype=np.float32)
    for first in range(0, seconds.shape[1], _SECONDS_AT_ONCE):
        part = seconds[:, first : first + _SECONDS_AT_ONCE]
        predicted = part - (unexplained @ part.reshape(len(part), -1)).reshape(part.shape)
        norm = np.linalg.norm(part, axis=-1) * np.linalg.norm(predicted, axis=-1)
        product = np.einsum("cst,cst->cs", part, predicted)
        correlation[:, first : first + part.shape[1]] = product / np.maximum(norm, 1e-6)
    return ((correlation < settings.min_correlation) & ~flat).mean(axis=1)


def robust_deviation(signal_uv: np.ndarray) -> np.ndarray:
    """Standard deviation of each channel by its quartiles, µV, shape (n_chans,)."""
    stride = max(1, signal_uv.shape[1] // _QUARTILE_SAMPLES)
    lower, upper = np.quantile(signal_uv[:, ::stride], [0.25, 0.75], axis=1)
    return DEVIATION_PER_IQR * (upper - lower)


def _humming(hum_uv: np.ndarray, live: np.ndarray, deviation: np.ndarray, settings: Quality) -> np.ndarray:
    humming = np.zeros(len(live), dtype=bool)
    if np.isfinite(hum_uv[live]).all():
        outlying = _log_outliers(hum_uv[live], settings.line_noise_deviations)
        humming[live] = outlying & (hum_uv[live] > deviation)
    return humming


def _log_outliers(values: np.ndarray, deviations: float) -> np.ndarray:
    """Mark values far above the others; amplitudes spread by factors, so their logarithms are compared."""
    logs = np.log(np.maximum(values, 1e-3))
    lower, middle, upper = np.quantile(logs, [0.25, 0.5, 0.75])
    # With a handful of equal channels the quartiles coincide and any difference would be outlying.
    return (logs > middle + deviations * DEVIATION_PER_IQR * (upper - lower)) & (upper > lower)


def _share_in_live_seconds(flat: np.ndarray) -> np.ndarray:
    """Share of flat seconds, without those in which the amplifier as a whole paused."""
    live = flat.mean(axis=0) <= 0.5
    return flat[:, live].mean(axis=1) if live.any() else np.zeros(len(flat))


def _at_limits(channel: np.ndarray, flat_uv: float) -> float:
    """Share of samples inside runs of three or more at the channel's highest or lowest value."""
    clipped = 0
    for limit in (channel.max(), channel.min()):
        # A channel at rest has its limit near zero, an amplifier does not.
        if abs(limit) >= flat_uv:
            at = channel == limit
            clipped += int(np.count_nonzero(at[:-2] & at[1:-1] & at[2:]))
    return clipped / len(channel)


def _hum(signal_uv: np.ndarray, sfreq: float, mains_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """RMS at the mains frequency (µV) and its power against ±5 Hz (dB), in the recording's middle minute."""
    n_times = signal_uv.shape[1]
    if sfreq / 2 < mains_hz + 5 or n_times < 2 * sfreq:
        return np.full(len(signal_uv), np.nan), np.full(len(signal_uv), np.nan)
    length = min(n_times, int(_MAINS_EXCERPT_SECONDS * sfreq))
    start = (n_times - length) // 2
    frequency, power = welch(signal_uv[:, start : start + length], fs=sfreq, nperseg=int(2 * sfreq))
    distance = np.abs(frequency - mains_hz)
    around = np.median(power[:, (distance > 1) & (distance <= 5)], axis=1)
    hum = power[:, distance <= 1]
    excess = np.maximum(hum - around[:, None], 0).sum(axis=1) * (frequency[1] - frequency[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 10 * np.log10(hum.max(axis=1) / around)
    return np.sqrt(excess), np.where(np.isfinite(ratio), ratio, np.nan)


def _cut(signal: np.ndarray, step: int) -> np.ndarray:
    """Cut into seconds, shape (n_chans, n_seconds, step); the rest at the end is left out."""
    n_seconds = signal.shape[1] // step
    return signal[:, : n_seconds * step].reshape(len(signal), n_seconds, step)
