"""Which channels of a recording are bad, and why: flat, clipped, drop-outs, noisy, line noise, or marked as
bad by those who recorded it.

What a filter would hide (flat seconds, the amplifier's limits, hum) is measured in the file's own samples,
the rest in the preprocessed signal. Every measure and its source: docs/quality.md. What is found describes a
recording and changes no sample of it: what a model leaves out of a window, it decides by that window.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import welch
from scipy.stats import binom

from cerebro.config import Quality
from cerebro.shards.store import LIMIT_UV

REASONS = ("flat", "clipped", "dropouts", "noisy", "line_noise", "marked")
"""Why a channel is bad; of several reasons the first of these is kept."""

DEVIATION_PER_IQR = 0.7413
"""Standard deviation of a normal distribution from its interquartile range, as in PREP."""

LEAST_OUTLYING_RATIO = 3.0
"""A channel's amplitude must also be this many times the median channel's to be noisy: a strong alpha rhythm
reaches 2.6 times in simulated recordings, and in quiet ones that is many robust deviations."""

LEAST_PREDICTORS = 16
"""With fewer channels than the smallest clinical montage has, none can be predicted from the others."""

CHANCE = 0.01
"""Probability below which so many bad seconds are no chance. A share alone would condemn a channel of a short
recording for a single second, and recordings of two lengths would differ by nothing but that."""

_PIECES = 10  # of a second, to tell padding: held samples may end in a step
_RIDGE = 1e-3  # of the median channel's variance: neighbours in a dense net are nearly the same
_QUARTILE_SAMPLES = 20_000  # quartiles of more samples than these differ by less than a percent
_SECONDS_AT_ONCE = 600
_MAINS_EXCERPT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RawFacts:
    """What the samples of a file say about its channels, before any filter."""

    flat: np.ndarray
    """bool, shape (n_chans, n_seconds): seconds in which a channel does not move."""
    padded: np.ndarray
    """bool, shape (n_chans, n_seconds): seconds of a stretch without signal at the file's start or end."""
    clipped: np.ndarray
    """Share of each second's samples in runs at the channel's own limits, shape (n_chans, n_seconds)."""
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
        flat=_ptp(seconds) < settings.flat_uv,
        padded=_padded(seconds, settings.flat_uv),
        clipped=_cut(_at_limits(signal_uv, settings.flat_uv), step).mean(axis=-1),
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
    marked: Sequence[str] = (),
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
    marked
        Those that a sidecar or the file calls bad.
    sfreq
        Of the preprocessed signal, Hz.
    settings
        The thresholds.

    Returns
    -------
    dict
        Name to reason, one of :data:`REASONS`, in the channels' order.
    """
    found = {reason: np.zeros(len(names), dtype=bool) for reason in REASONS}
    found["marked"] = np.isin(names, list(marked))
    # A second in which most channels are flat is the amplifier's pause, and no channel's fault.
    running = np.broadcast_to(facts.flat.mean(axis=0) <= 0.5, facts.flat.shape)
    flat_share = (facts.flat & running).sum(axis=1) / np.maximum(running.sum(axis=1), 1)
    found["flat"] = (np.ptp(signal_uv, axis=1) < settings.flat_uv) | (flat_share > 0.5)
    clipped = _clipped(signal_uv, facts, sfreq)
    found["clipped"] = (clipped.mean(axis=1) > settings.max_clipped) & _more_than(
        settings.max_clipped, clipped > 0, np.ones_like(clipped, dtype=bool)
    )
    found["dropouts"] = _more_than(settings.max_dropouts, facts.flat, running & ~facts.padded)
    live = ~found["flat"]
    if live.any():
        # The median over channels is a reference that a few bad ones cannot move. Unlike the mean it leaves
        # channels linearly independent: none can be predicted merely because all of them add up to zero.
        referenced = signal_uv[live] - np.median(signal_uv[live], axis=0)
        deviation = robust_deviation(referenced)
        outlying = _log_outliers(deviation, settings.noisy_deviations)
        found["noisy"][live] = outlying & (deviation > LEAST_OUTLYING_RATIO * np.median(deviation))
        if live.sum() >= LEAST_PREDICTORS:
            unlike, judged = uncorrelated_seconds(referenced, sfreq=sfreq, settings=settings)
            judged = judged & ~_as_long(facts.padded[live], judged.shape[1])
            found["noisy"][live] |= _more_than(settings.max_uncorrelated, unlike, judged)
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


def uncorrelated_seconds(
    signal_uv: np.ndarray, *, sfreq: float, settings: Quality
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds in which each channel is unlike what the others predict for it.

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
    unlike, judged : numpy.ndarray
        bool, shape (n_chans, n_seconds): where it is unlike, and where it could be told.
    """
    seconds = _cut(signal_uv, round(sfreq))
    if not seconds.size:
        none = np.zeros(seconds.shape[:2], dtype=bool)
        return none, none
    seconds = seconds - seconds.mean(axis=-1, keepdims=True)
    flat = _ptp(seconds) < settings.flat_uv
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
    return correlation < settings.min_correlation, ~flat


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


def _more_than(share: float, bad: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Tell channels with more bad seconds than chance gives at this share, shape (n_chans,).

    A one-sided binomial test at :data:`CHANCE` on arrays of shape (n_chans, n_seconds): 1 % is exceeded by 4
    bad seconds of 60, 9 of 300, 51 of 3,600.
    """
    return binom.sf((bad & judged).sum(axis=1) - 1, judged.sum(axis=1), share) < CHANCE


def _padded(seconds: np.ndarray, flat_uv: float) -> np.ndarray:
    """Seconds, before the first or behind the last one with signal, in most of whose pieces nothing moves."""
    n_chans, n_seconds, step = seconds.shape
    size = max(1, step // _PIECES)
    pieces = seconds[..., : step // size * size].reshape(n_chans, n_seconds, -1, size)
    moving = (_ptp(pieces) >= flat_uv).mean(axis=-1) > 0.5
    begun = np.logical_or.accumulate(moving, axis=1)
    unfinished = np.logical_or.accumulate(moving[:, ::-1], axis=1)[:, ::-1]
    return ~(begun & unfinished)


def _at_limits(signal_uv: np.ndarray, flat_uv: float) -> np.ndarray:
    """Samples that lie inside runs of three or more at their channel's highest or lowest value."""
    clipped = np.zeros(signal_uv.shape, dtype=bool)
    for limit in (signal_uv.max(axis=1, keepdims=True), signal_uv.min(axis=1, keepdims=True)):
        # A channel at rest has its limit near zero, an amplifier does not.
        at = (signal_uv == limit) & (np.abs(limit) >= flat_uv)
        clipped[:, 1:-1] |= at[:, :-2] & at[:, 1:-1] & at[:, 2:]
    return clipped


def _clipped(signal_uv: np.ndarray, facts: RawFacts, sfreq: float) -> np.ndarray:
    """Share of each second's samples at the amplifier's limits or beyond the store's."""
    beyond = _cut(np.abs(signal_uv) > LIMIT_UV, min(round(sfreq), signal_uv.shape[1])).mean(axis=-1)
    return _as_long(facts.clipped, beyond.shape[1]) + beyond


def _as_long(seconds: np.ndarray, n_seconds: int) -> np.ndarray:
    """Facts of the file's seconds for those of the preprocessed signal, which may lack the last one."""
    return np.pad(seconds[:, :n_seconds], ((0, 0), (0, max(0, n_seconds - seconds.shape[1]))))


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


def _ptp(seconds: np.ndarray) -> np.ndarray:
    """Peak to peak over the last axis."""
    return seconds.max(axis=-1) - seconds.min(axis=-1)


def _cut(signal: np.ndarray, step: int) -> np.ndarray:
    """Cut into seconds, shape (n_chans, n_seconds, step); the rest at the end is left out."""
    n_seconds = signal.shape[1] // step
    return signal[:, : n_seconds * step].reshape(len(signal), n_seconds, step)
