import numpy as np
import pytest

from cerebro.shards.quality import recording_quality, window_quality


def test_peak_to_peak_is_the_median_over_live_channels_of_each_window() -> None:
    rng = np.random.default_rng(3)
    samples = rng.integers(-500, 500, (1000, 9)).astype(np.int16)
    samples[:, 4] = 0
    starts = np.array([0, 1, 137, 800])
    peak_to_peak, bad = window_quality(samples, starts, length=200)
    for index, start in enumerate(starts):
        window = np.delete(samples[start : start + 200].astype(float), 4, axis=1) / 10
        assert peak_to_peak[index] == pytest.approx(np.median(window.max(axis=0) - window.min(axis=0)))
    np.testing.assert_allclose(bad, 1 / 9)


def test_more_windows_than_one_chunk_give_the_same() -> None:
    samples = np.random.default_rng(4).integers(-500, 500, (3000, 5)).astype(np.int16)
    starts = np.arange(0, 2700, 10)
    together = window_quality(samples, starts, length=200)
    alone = [window_quality(samples, starts[[index]], length=200) for index in range(len(starts))]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


def test_the_full_range_of_the_store_does_not_overflow() -> None:
    samples = np.tile(np.array([[32767], [-32767]], dtype=np.int16), (100, 4))
    peak_to_peak, _ = window_quality(samples, np.array([0]), length=200)
    assert peak_to_peak[0] == pytest.approx(6553.4)


def test_a_channel_far_above_the_others_is_bad_and_does_not_move_the_amplitude() -> None:
    samples = np.random.default_rng(5).integers(-300, 300, (400, 20)).astype(np.int16)
    before, none_bad = window_quality(samples, np.array([0, 200]), length=200)
    samples[250:, 7] *= 40
    after, bad = window_quality(samples, np.array([0, 200]), length=200)
    np.testing.assert_allclose(none_bad, 0)
    np.testing.assert_allclose(bad, [0, 1 / 20])
    np.testing.assert_allclose(after, before, rtol=0.01)


def test_a_silent_window_is_all_bad() -> None:
    peak_to_peak, bad = window_quality(np.zeros((200, 3), dtype=np.int16), np.array([0]), length=200)
    assert peak_to_peak.tolist() == [0]
    assert bad.tolist() == [1]


def test_no_windows_are_judged_as_none() -> None:
    samples, none = np.zeros((200, 3), dtype=np.int16), np.array([], dtype=int)
    peak_to_peak, bad = window_quality(samples, none, length=200)
    assert peak_to_peak.shape == bad.shape == (0,)


def test_a_recording_tells_its_flat_and_noisy_channels_and_its_amplitude() -> None:
    signal = np.random.default_rng(6).normal(0, 20, (10, 5000)).astype(np.float32)
    signal[0] = 0
    quality = recording_quality(
        signal, bad={"E1": "flat", "E2": "noisy"}, hum_db=np.array([np.nan, 2.0, 3.0, 9.0]), clipped=7
    )
    assert quality.flat_channels == pytest.approx(0.1)
    assert quality.noisy_channels == pytest.approx(0.1)
    assert quality.amplitude == pytest.approx(20, rel=0.05)
    assert (quality.line_noise, quality.clipped) == (3.0, 7)


def test_a_silent_recording_has_neither_amplitude_nor_line_noise() -> None:
    quality = recording_quality(np.zeros((3, 500)), bad={}, hum_db=np.full(3, np.nan), clipped=0)
    assert np.isnan(quality.amplitude)
    assert np.isnan(quality.line_noise)
