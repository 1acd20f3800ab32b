import pytest
import torch

from cerebro.models.front_end import SCALE_UV, FrontEnd


@pytest.fixture
def window() -> torch.Tensor:
    return 20 * torch.randn(2, 12, 200, generator=torch.Generator().manual_seed(0))


def test_average_reference_makes_the_recording_reference_irrelevant(window):
    shifted = window - window[:, 3:4]  # re-referenced to one of its channels, which goes flat
    original, _ = FrontEnd()(torch.cat((window[:, :3], window[:, 4:]), dim=1))
    rereferenced, present = FrontEnd()(shifted)
    kept = torch.cat((rereferenced[:, :3], rereferenced[:, 4:]), dim=1)
    torch.testing.assert_close(original, kept, atol=1e-4, rtol=1e-4)
    assert not present[:, 3].any()
    assert present.sum() == 2 * 11


def test_absent_channels_change_nothing_in_the_others(window):
    alone, _ = FrontEnd()(window)
    padded, present = FrontEnd()(torch.cat((window, torch.zeros(2, 5, 200)), dim=1))
    torch.testing.assert_close(padded[:, :12], alone)
    assert not present[:, 12:].any()
    assert (padded[:, 12:] == 0).all()


def test_a_popping_channel_is_left_out_of_the_average(window):
    popping = window.clone()
    popping[:, 5, 100:] += 3000
    clean, present = FrontEnd()(popping)
    assert not present[:, 5].any()
    assert present.sum() == 2 * 11
    assert clean.abs().max() < 10


def test_output_is_in_units_of_the_scale(window):
    referenced, _ = FrontEnd()(window)
    expected = (window - window.mean(dim=1, keepdim=True)) / SCALE_UV
    torch.testing.assert_close(referenced, expected)


def test_a_window_of_zeros_stays_finite():
    referenced, present = FrontEnd()(torch.zeros(1, 129, 200))
    assert (referenced == 0).all()
    assert not present.any()
