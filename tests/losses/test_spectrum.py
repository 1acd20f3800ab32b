import numpy as np
import pytest
import torch

from cerebro.losses.spectrum import AMPLITUDE_FLOOR, spectral_targets, spectrum_loss


def patches() -> torch.Tensor:
    return torch.randn(2, 3, 50, generator=torch.Generator().manual_seed(0))


def test_targets_equal_numpys_half_spectrum():
    targets, amplitude = spectral_targets(patches())
    spectrum = np.fft.rfft(patches().numpy(), norm="ortho")
    np.testing.assert_allclose(amplitude, np.abs(spectrum), atol=1e-5)
    np.testing.assert_allclose(targets[..., 0, :], np.log(np.abs(spectrum) + AMPLITUDE_FLOOR), atol=1e-4)
    np.testing.assert_allclose(targets[..., 1, :], np.sin(np.angle(spectrum)), atol=1e-4)
    np.testing.assert_allclose(targets[..., 2, :], np.cos(np.angle(spectrum)), atol=1e-4)


def test_a_perfect_prediction_costs_nothing_and_absent_tokens_cost_nothing():
    targets, _ = spectral_targets(patches())
    present = torch.tensor([[True, True, False], [True, False, False]])
    prediction = torch.where(present[..., None, None], targets, targets + 100)
    losses = spectrum_loss(prediction, patches(), present)
    assert losses["amplitude"].item() == pytest.approx(0, abs=1e-8)
    assert losses["phase"].item() == pytest.approx(0, abs=1e-8)


def test_phases_on_both_sides_of_the_wrap_are_close():
    """An error of wrapped angles would be almost 2 pi here."""
    t = torch.arange(50) / 50
    just_below = torch.cos(2 * np.pi * 5 * t + np.pi - 0.01)
    just_above = torch.cos(2 * np.pi * 5 * t - np.pi + 0.01)
    prediction, _ = spectral_targets(just_below.view(1, 1, -1))
    losses = spectrum_loss(prediction, just_above.view(1, 1, -1), torch.ones(1, 1, dtype=torch.bool))
    assert losses["phase"] < 0.01
