"""What every recording must be, whatever its format: voltages, at a rate and of a length that EEG can have.

The header's part is asked by the inventory and the shards alike, through
:func:`~cerebro.recordings.signals.open_raw`; the signals' part by the shards, when they are read.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from cerebro.recordings.failures import BrokenRecording

VOLTS = {
    **dict.fromkeys(("uV", "µV", "μV", "\x83\xcaV", "microV"), 1e-6),  # both signs, and Shift JIS
    "mV": 1e-3,
    "V": 1.0,
    "nV": 1e-9,
}
"""Units of voltage that are understood, in volts."""

RATES_HZ = (50.0, 100_000.0)
"""Sampling rates of EEG: below, not even the alpha and beta rhythms are held; above, no amplifier works."""

LEAST_SECONDS = 0.5
"""A shorter file holds not one wave of delta, and no quarter of the shortest window."""

SPREAD_UV = (0.5, 1000.0)
"""Standard deviations that EEG can have within a second, in µV after the band-pass.

Below is the noise that amplifiers are allowed (0.5 µV RMS, Nuwer et al. 1998,
https://doi.org/10.1016/S0013-4694(97)00106-5). Above is no brain: in 203 recordings of people with saline,
dry and gelled electrodes, loose ones and saturated stretches included, the lower quartile over all seconds of
all channels lay between 2.8 and 38 µV, the upper one between 6 and 437. A thousandth of these, or a
thousandfold, as when millivolts are taken for volts or microvolts, is refused; ten times is not noticed."""

_MOVES_UV = 0.01
"""What spreads by less within a second is a pause of the amplifier, or a channel that is not plugged in."""


def keep_voltages(own: Mapping[str, str], units: Mapping[str, str]) -> dict[str, str]:
    """Drop channels whose unit is no voltage, like any other that is no electrode.

    Parameters
    ----------
    own
        Canonical names of electrodes by their labels.
    units
        Unit of each of these labels.

    Raises
    ------
    BrokenRecording
        If none remains.
    """
    kept = {label: name for label, name in own.items() if units[label] in VOLTS}
    if not kept:
        unit = units[next(iter(own))]
        raise BrokenRecording(
            f"EEG channels in '{unit}', which is no unit of voltage that is understood: {', '.join(own)}"
        )
    return kept


def refuse_times(*, n_times: int, rates: Iterable[float]) -> float:
    """Return the one sampling rate (Hz) of all electrodes, once length and rate were found to be possible.

    Raises
    ------
    BrokenRecording
        If electrodes have different rates, or rate or length are none of EEG.
    """
    found = sorted(set(rates))
    if len(found) > 1:
        raise BrokenRecording(
            f"EEG channels at uneven sampling rates: {', '.join(f'{rate:g}' for rate in found)} Hz"
        )
    sfreq = found[0]
    low, high = RATES_HZ
    if not low <= sfreq <= high:
        raise BrokenRecording(f"a sampling rate of {sfreq:g} Hz; that of EEG is {low:g} to {high:g} Hz")
    if n_times < LEAST_SECONDS * sfreq:
        raise BrokenRecording(
            f"only {n_times} samples, {n_times / sfreq:.2g} s; {LEAST_SECONDS:g} s are needed"
        )
    return sfreq


def refuse_lost(file: str, *, held: float, promised: int) -> None:
    """Refuse signals that are fewer than their header says.

    Raises
    ------
    BrokenRecording
        Naming the file and both numbers of samples.
    """
    if held < promised:
        raise BrokenRecording(f"truncated: {file} holds {held:.10g} of {promised} samples")


def refuse_constant(scales: Mapping[str, float]) -> None:
    """Refuse electrodes that all have a scale of zero, by which whatever was recorded is one value.

    Raises
    ------
    BrokenRecording
        Naming them.
    """
    if not any(scales.values()):
        raise BrokenRecording(f"all EEG channels have a scale of 0: {', '.join(scales)}")


def refuse_no_eeg(signal_uv: np.ndarray, *, sfreq: float) -> None:
    """Refuse signals that are too small or too large for EEG as a whole: another unit, another scale, noise.

    Each channel in each second counts alike, so that neither broken electrodes nor bad stretches decide, if
    they are not three quarters of all: too small is what spreads too little in its livelier quarter already,
    too large what spreads too much even in its calmer one. Constant offsets are gone by the band-pass.

    Parameters
    ----------
    signal_uv
        Preprocessed signals, shape (n_chans, n_times), µV.
    sfreq
        Their sampling rate in Hz.

    Raises
    ------
    BrokenRecording
        With the spread that was found.
    """
    second = min(round(sfreq), signal_uv.shape[1])
    seconds = signal_uv[:, : signal_uv.shape[1] // second * second].reshape(len(signal_uv), -1, second)
    spread = seconds.std(axis=-1, dtype=np.float64)
    moving = spread[spread > _MOVES_UV]
    low, high = SPREAD_UV
    wrong = ""
    if not np.isfinite(spread).all():
        wrong = f"some of its samples lie beyond {np.finfo(np.float32).max:.1g} µV"
    elif not moving.size:
        wrong = f"no second of any channel spreads by more than {_rounded(spread.max())} µV"
    elif (lively := np.quantile(moving, 0.75)) < low:
        wrong = f"three quarters of the seconds of its channels spread by less than {_rounded(lively)} µV"
    elif (calm := np.quantile(moving, 0.25)) > high:
        wrong = f"three quarters of the seconds of its channels spread by more than {_rounded(calm)} µV"
    if wrong:
        raise BrokenRecording(f"no EEG, or of another unit: {wrong}; EEG spreads by {low:g} to {high:g} µV")


def _rounded(value_uv: float) -> str:
    """Two digits, powers of ten only beyond a volt."""
    return f"{float(f'{value_uv:.2g}'):g}"
