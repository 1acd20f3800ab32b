import math
from pathlib import Path

import mne
import numpy as np
import pytest

from cerebro.config import Preprocessing
from cerebro.recordings.signals import open_raw
from cerebro.shards import preprocess as module
from cerebro.shards.preprocess import preprocess
from cerebro.shards.store import LEAST_BIT_UV
from cerebro.simulation.signals import aperiodic


def raw_of(signal_uv: np.ndarray, sfreq: float, names: list[str]) -> mne.io.RawArray:
    return mne.io.RawArray(signal_uv / 1e6, mne.create_info(names, sfreq, "eeg"), verbose="error")


def test_a_real_recording_comes_out_as_mne_filters_and_resamples_it(real_recordings: Path) -> None:
    path = real_recordings / "eeglab_data.set"
    raw = open_raw(path)
    assert len(raw.ch_names) == 30  # two of its 32 channels are EOG
    reference = mne.io.read_raw_eeglab(path, preload=True, verbose="error")
    reference.pick([name for name in reference.ch_names if not name.startswith("EOG")])
    expected = reference.get_data()
    expected = mne.filter.filter_data(expected, 128, 0.5, 50, verbose="error")
    whole = expected.shape[1] // 32 * 32  # 32 samples at 128 Hz are 25 at 100 Hz
    expected = mne.filter.resample(expected[:, :whole], up=100, down=128, npad=640, verbose="error")
    signal = preprocess(raw, Preprocessing(), filtered=False)
    assert signal.dtype == np.float32
    # Half a least bit of the store; what remains is how far the ends are mirrored.
    np.testing.assert_allclose(signal, expected * 1e6, atol=LEAST_BIT_UV / 2)
    assert 5 < np.median(signal.std(axis=1)) < 50


RATES = (250, 256, 400, 500, 512, 1000, 1024)


def wandering(n_times: int, sfreq: int, seed: int) -> np.ndarray:
    """Three channels of 1/f noise, 20 µV, with an offset, a drift and a jump: its ends are all but alike."""
    signal = aperiodic(np.random.default_rng(seed), count=3, n_times=n_times, sfreq=sfreq, exponent=1.5)
    signal = 20 * signal.astype(float) + 300 + np.linspace(0, 200, n_times)
    signal[:, -sfreq:] += 80
    return signal


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("extra", [0, 1, 37])
def test_signals_equal_what_mne_filters_and_resamples_with_the_same_padding(sfreq: int, extra: int) -> None:
    signal = wandering(20 * sfreq + extra, sfreq, seed=sfreq)
    expected = mne.filter.filter_data(signal, sfreq, 0.5, 50, verbose="error")
    step = sfreq // math.gcd(sfreq, 100)
    whole = signal.shape[1] // step * step
    padding = module._padding(whole, step)
    assert padding >= 100  # MNE's default where a number is given
    expected = mne.filter.resample(expected[:, :whole], up=100, down=sfreq, npad=padding, verbose="error")
    ours = preprocess(raw_of(signal, sfreq, ["Cz", "Fz", "Pz"]), Preprocessing(), filtered=False)
    np.testing.assert_allclose(ours, expected, atol=0.001)  # µV, the ends included


@pytest.mark.parametrize("sfreq", [256, 400, 512, 1024])
def test_where_mne_by_default_does_not_shift_the_signal_both_agree_to_half_a_microvolt(sfreq: int) -> None:
    raw = raw_of(wandering(20 * sfreq, sfreq, seed=sfreq), sfreq, ["Cz", "Fz", "Pz"])
    np.testing.assert_allclose(default_times(np.arange(2000), 20 * sfreq, sfreq), np.arange(2000) / 100)
    expected = raw.copy().filter(0.5, 50, verbose="error").resample(100, verbose="error").get_data()
    ours = preprocess(raw, Preprocessing(), filtered=False)
    np.testing.assert_allclose(ours, expected * 1e6, atol=0.5)  # the ends and the jump included


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("extra", [0, 37])
def test_samples_stay_at_their_time_which_mne_by_default_moves(sfreq: int, extra: int) -> None:
    n_times = 20 * sfreq + extra

    def rhythms(seconds: np.ndarray) -> np.ndarray:
        return sum(np.sin(2 * np.pi * hertz * seconds + hertz) for hertz in (3.3, 10.1, 22.7)) * 20

    raw = raw_of(rhythms(np.arange(n_times) / sfreq)[None], sfreq, ["Cz"])
    ours = preprocess(raw, Preprocessing(), filtered=True)[0]
    inner = np.arange(200, len(ours) - 200)
    np.testing.assert_allclose(ours[inner], rhythms(inner / 100), atol=0.3)
    by_default = raw.copy().resample(100, verbose="error").get_data()[0] * 1e6
    moved = default_times(inner, n_times, sfreq)
    np.testing.assert_allclose(by_default[inner], rhythms(moved), atol=0.1)
    assert np.abs(moved - inner / 100).max() < 0.0065


def default_times(samples: np.ndarray, n_times: int, sfreq: int) -> np.ndarray:
    """Seconds of the input at which MNE's default puts its output samples.

    It pads to a power of two, resamples that to a whole number of output samples, and removes as many in
    front as the padding is when rounded.
    """
    least = n_times + 2 * min(n_times // 8, 100)
    padded = 2 ** math.ceil(math.log2(least))
    front = (padded - n_times) // 2
    step = padded / round(padded * 100 / sfreq)
    return ((samples + round(front * 100 / sfreq)) * step - front) / sfreq


@pytest.mark.parametrize(("sfreq", "n_times"), [*((sfreq, 20 * sfreq + 3) for sfreq in RATES), (250, 7777)])
def test_a_rhythm_keeps_its_amplitude_and_its_time(sfreq: float, n_times: int) -> None:
    times, seconds = np.arange(n_times) / sfreq, np.arange(n_times / sfreq * 100 - 25) / 100
    alpha, mains, offset = 40 * np.sin(2 * np.pi * 10 * times), 30 * np.sin(2 * np.pi * 60 * times), 1000
    raw = raw_of((alpha + mains + offset)[None], sfreq, ["Cz"])
    signal = preprocess(raw, Preprocessing(), filtered=False)
    assert 0 <= n_times / sfreq - signal.shape[1] / 100 < 0.25
    inner = slice(500, len(seconds) - 500)
    np.testing.assert_allclose(signal[0, inner], 40 * np.sin(2 * np.pi * 10 * seconds[inner]), atol=0.2)


def test_rates_that_never_meet_within_a_second_are_off_by_less_than_half_a_sample() -> None:
    sfreq, n_times = 199.8, 5000
    alpha = 40 * np.sin(2 * np.pi * 10 * np.arange(n_times) / sfreq)
    signal = preprocess(raw_of(alpha[None], sfreq, ["Cz"]), Preprocessing(), filtered=False)
    assert abs(n_times / sfreq - signal.shape[1] / 100) <= 0.005
    seconds = np.arange(signal.shape[1]) / 100
    for start in (200, 1200, 2200):  # 2 s each
        part = slice(start, start + 200)
        phase = np.angle(np.mean(signal[0, part] * np.exp(-2j * np.pi * 10 * seconds[part]))) + np.pi / 2
        assert abs(phase / (2 * np.pi * 10)) < 0.005


def test_a_recording_of_a_second_comes_out_whole() -> None:
    signal = preprocess(
        raw_of(wandering(500, 500, seed=0), 500, ["Cz", "Fz", "Pz"]), Preprocessing(), filtered=False
    )
    assert signal.shape == (3, 100)
    assert np.isfinite(signal).all()


def test_what_the_archive_has_filtered_passes_unchanged_at_the_same_rate() -> None:
    signal = np.random.default_rng(0).normal(3, 20, (2, 500))
    raw = raw_of(signal, 100, ["Cz", "E1"])
    np.testing.assert_allclose(preprocess(raw, Preprocessing(), filtered=True), signal, rtol=1e-6)


def test_blocks_of_channels_give_what_all_channels_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"E{number}" for number in range(1, 8)]
    raw = raw_of(np.random.default_rng(1).normal(0, 20, (7, 3000)), 250, names)
    whole = preprocess(raw, Preprocessing(), filtered=False)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 2 * 8 * 3000)
    np.testing.assert_array_equal(preprocess(raw, Preprocessing(), filtered=False), whole)


def test_the_recording_itself_is_not_changed() -> None:
    raw = raw_of(np.random.default_rng(2).normal(0, 20, (2, 2500)), 250, ["Cz", "E1"])
    before = raw.get_data().copy()
    preprocess(raw, Preprocessing(), filtered=False)
    np.testing.assert_array_equal(raw.get_data(), before)
    assert raw.info["sfreq"] == 250


def test_a_sample_that_is_not_finite_is_refused() -> None:
    signal = np.zeros((2, 1000))
    signal[1, 17] = np.nan
    with pytest.raises(ValueError, match="not finite in E1"):
        preprocess(raw_of(signal, 100, ["Cz", "E1"]), Preprocessing(), filtered=True)
