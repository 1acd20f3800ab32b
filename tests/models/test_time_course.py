"""Courses of slow amplitude and band power against what was put into the signal."""

import numpy as np
import torch
from mne.time_frequency import tfr_array_morlet

from cerebro.models.time_course import WAVELET_SECONDS, TimeCourses

FREQUENCIES = (10.0, 20.0)


def courses(n_layout: int = 4) -> tuple[TimeCourses, torch.Tensor]:
    torch.manual_seed(0)
    positions = torch.nn.functional.normalize(torch.randn(12, 3), dim=-1)
    return TimeCourses(
        positions[:n_layout], frequencies=FREQUENCIES, frame_samples=10, sfreq=100.0
    ), positions


def test_power_follows_the_envelope_of_its_own_frequency_and_of_no_other():
    model, positions = courses()
    times = np.arange(200) / 100
    envelope = 1 + 0.4 * np.sin(2 * np.pi * 0.5 * times)
    patterns = np.random.default_rng(0).standard_normal((2, 12, 1))
    alpha = 20 * envelope * patterns[0] * np.sin(2 * np.pi * 10 * times)
    beta = 20 * patterns[1] * np.sin(2 * np.pi * 20 * times)
    signal = torch.from_numpy(alpha + beta).float().unsqueeze(0)
    found = model(signal, positions.unsqueeze(0))[0].detach().numpy()
    assert found.shape == (4, 3, 20)
    expected = 2 * np.log(envelope.reshape(20, 10).mean(axis=1))
    inner = slice(2, -2)  # where no wavelet reaches beyond the window
    for channel in found:
        alpha_power, beta_power = channel[1:, inner] - channel[1:, inner].mean(axis=1, keepdims=True)
        assert np.abs(alpha_power - expected[inner] + expected[inner].mean()).max() < 0.1
        assert np.abs(beta_power).max() < 0.1


def test_power_is_that_of_mnes_morlet_wavelets():
    print("seed 1")
    model, positions = courses(n_layout=1)
    signal = 20 * torch.randn(1, 12, 400, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        referenced, present = model.front_end(signal, positions.unsqueeze(0))
        channel = model.spatial(referenced, positions.unsqueeze(0), present).double().numpy()
        found = model(signal, positions.unsqueeze(0))[0, 0, 1:, 4:-4].numpy()
    cycles = [2 * np.pi * frequency * WAVELET_SECONDS for frequency in FREQUENCIES]
    power = tfr_array_morlet(
        channel, 100.0, list(FREQUENCIES), n_cycles=cycles, output="power", zero_mean=False
    )[0, 0]
    expected = np.log(power.reshape(2, 40, 10).mean(axis=-1))[:, 4:-4]
    centred = [part - part.mean(axis=1, keepdims=True) for part in (found, expected)]
    np.testing.assert_allclose(*centred, atol=0.15)


def test_level_and_constant_power_of_a_person_are_gone():
    model, positions = courses()
    signal = 20 * torch.randn(1, 12, 200, generator=torch.Generator().manual_seed(2))
    one, loud = (model(factor * signal, positions.unsqueeze(0)) for factor in (1, 3))
    torch.testing.assert_close(one[:, :, 1:], loud[:, :, 1:], atol=0.15, rtol=0)
    torch.testing.assert_close(one.mean(dim=-1), torch.zeros(1, 4, 3), atol=1e-5, rtol=0)


def test_a_window_shorter_than_a_wavelet_and_one_of_zeros_stay_finite():
    model, positions = courses()
    for signal in (20 * torch.randn(1, 12, 20), torch.zeros(1, 12, 200)):
        assert model(signal, positions.unsqueeze(0)).isfinite().all()
    silence = model(torch.zeros(1, 12, 200), positions.unsqueeze(0))
    torch.testing.assert_close(silence, torch.zeros_like(silence), atol=1e-5, rtol=0)
