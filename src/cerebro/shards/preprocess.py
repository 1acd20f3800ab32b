"""From an opened recording to µV at the shards' sampling rate; the border where volts end."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import mne
import numpy as np
from scipy.fft import next_fast_len

from cerebro.config import Preprocessing
from cerebro.recordings.signals import read_signals
from cerebro.shards.store import SFREQ

_BLOCK_BYTES = 256 * 2**20
"""Signals preprocessed at once, as float64: MNE's filter and resampling each hold another copy of it."""

UV_PER_VOLT = 1e6

_PADDING = 100
"""Input samples reflected at both ends before resampling, at least; MNE's default for a number."""


def preprocess(
    raw: mne.io.BaseRaw,
    settings: Preprocessing,
    *,
    filtered: bool,
    inspect: Callable[[mne.io.BaseRaw], None] | None = None,
) -> np.ndarray:
    """Band-pass and resample a recording, as MNE does.

    The filter is MNE's zero-phase FIR with its defaults (Hamming window, 'firwin'), the resampling MNE's FFT
    method. Only its padding differs from MNE's default: padding to a power of two moves the signal by up to
    half an output sample, 5 ms at 100 Hz; here padding and signal are whole numbers of output samples, for
    which at most a few samples at the very end are left out, and every sample stays at its time. Rates that
    don't meet the target within a second, which neither HBN nor TUH has, are off by up to half an output
    sample. Channels are processed block by block, since an hour of a 500 Hz net would not fit in memory
    otherwise.

    Parameters
    ----------
    raw
        Signals in volts, not necessarily loaded; not changed.
    settings
        Band in Hz and sampling rate in Hz. An upper edge at or above the Nyquist frequency of the file is
        no filter.
    filtered
        True if the archive has already band-passed the signals: they are only resampled.
    inspect
        Called with each block of channels as the file has them, loaded, in order: the file is read once.

    Returns
    -------
    numpy.ndarray
        float32, shape (n_chans, n_times), µV.

    Raises
    ------
    BrokenRecording
        If the signals can't be read, or a sample is not finite.
    """
    done = []
    for block in _blocks(raw):
        if inspect is not None:
            inspect(block)
        done.append(_preprocess_block(block, settings, filtered=filtered))
    return np.concatenate(done)


def _blocks(raw: mne.io.BaseRaw) -> Iterator[mne.io.BaseRaw]:
    per_block = max(1, _BLOCK_BYTES // (8 * raw.n_times))
    for start in range(0, len(raw.ch_names), per_block):
        picks = np.arange(start, min(start + per_block, len(raw.ch_names)))
        # Read from the one open file: what MNE caches of it is lost in a copy.
        # One NaN would spread over its whole channel in the filter: none is let through.
        signals = read_signals(raw, picks)
        block = mne.io.RawArray(
            signals, mne.pick_info(raw.info, picks), first_samp=raw.first_samp, verbose="error"
        )
        # MNE's filter does not run across what annotations mark as an edge.
        yield block.set_annotations(raw.annotations, verbose="error")


def _preprocess_block(raw: mne.io.BaseRaw, settings: Preprocessing, *, filtered: bool) -> np.ndarray:
    low, high = settings.band
    if not filtered:
        nyquist = raw.info["sfreq"] / 2
        raw.filter(low, high if high < nyquist else None, picks="all", verbose="error")
    if raw.info["sfreq"] != SFREQ:
        step = _common_step(raw.info["sfreq"], SFREQ)
        raw.crop(tmax=(raw.n_times // step * step - 1) / raw.info["sfreq"], verbose="error")
        raw.resample(SFREQ, npad=_padding(raw.n_times, step), verbose="error")
    return (raw.get_data() * UV_PER_VOLT).astype(np.float32)


def _common_step(sfreq: float, target: float) -> int:
    """Input samples after which both rates meet again; 1 if they don't within a second."""
    step = Fraction(sfreq / target).limit_denominator(1000).numerator
    return step if step <= sfreq else 1


def _padding(n_times: int, step: int) -> int:
    """Least padding in multiples of ``step`` for which the FFT's length has small prime factors only."""
    padding = step * math.ceil(_PADDING / step)
    while next_fast_len(n_times + 2 * padding) != n_times + 2 * padding:
        padding += step
    return padding
