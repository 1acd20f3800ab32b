from pathlib import Path

import mne
import numpy as np
import pytest

from cerebro.config import Preprocessing
from cerebro.recordings.signals import open_raw
from cerebro.shards import preprocess as module
from cerebro.shards.preprocess import preprocess
from cerebro.shards.store import LEAST_BIT_UV


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


@pytest.mark.parametrize(
    ("sfreq", "n_times"), [(500, 10000), (500, 10003), (250, 7777), (256, 5121), (1000, 20001)]
)
def test_a_rhythm_keeps_its_amplitude_and_its_time(sfreq: int, n_times: int) -> None:
    times, seconds = np.arange(n_times) / sfreq, np.arange(n_times / sfreq * 100 - 25) / 100
    alpha, mains, offset = 40 * np.sin(2 * np.pi * 10 * times), 30 * np.sin(2 * np.pi * 60 * times), 1000
    raw = raw_of((alpha + mains + offset)[None], sfreq, ["Cz"])
    signal = preprocess(raw, Preprocessing(), filtered=False)
    assert 0 <= n_times / sfreq - signal.shape[1] / 100 < 0.25
    inner = slice(500, len(seconds) - 500)
    np.testing.assert_allclose(signal[0, inner], 40 * np.sin(2 * np.pi * 10 * seconds[inner]), atol=0.2)


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
    with pytest.raises(ValueError, match="not finite"):
        preprocess(raw_of(signal, 100, ["Cz", "E1"]), Preprocessing(), filtered=True)
