"""Spatial filters of heads: what they make of electrodes before and after training, on any montage."""

import pytest
import torch

from cerebro.models.spatial_filters import SpatialFilters
from cerebro.recordings.montages import layout_positions


@pytest.fixture
def filters() -> SpatialFilters:
    torch.manual_seed(0)
    return SpatialFilters(torch.from_numpy(layout_positions("ten_twenty")))


def inputs(n_times: int = 50) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A smooth field over the 129 net: linear in place, of three sources."""
    positions = torch.from_numpy(layout_positions("hbn_128")).float().unsqueeze(0)
    sources = torch.randn(1, 3, n_times, generator=torch.Generator().manual_seed(1))
    return positions @ sources, positions, torch.ones(positions.shape[:2], dtype=torch.bool)


def test_untrained_filters_interpolate_a_smooth_field(filters):
    signal, positions, present = inputs()
    sources = torch.linalg.lstsq(positions[0], signal[0]).solution
    expected = filters.places @ sources
    found = filters(signal, positions, present)[0]
    missed = (found - expected).square().sum(dim=1) / expected.square().sum(dim=1)
    assert missed.median() < 0.01


def test_absent_electrodes_have_no_weight_and_order_does_not_matter(filters):
    torch.nn.init.normal_(filters.gains)
    signal, positions, present = inputs()
    present[0, ::3] = False
    found = filters(signal, positions, present)
    assert filters.matrix(positions, present)[0, :, ::3].abs().max() == 0
    other = torch.where(present.unsqueeze(-1), signal, 1e3)
    torch.testing.assert_close(filters(other, positions, present), found)
    order = torch.randperm(signal.shape[1], generator=torch.Generator().manual_seed(2))
    moved = filters(signal[:, order], positions[:, order], present[:, order])
    torch.testing.assert_close(moved, found, atol=1e-4, rtol=1e-4)


def test_a_window_without_electrodes_is_silent(filters):
    signal, positions, present = inputs()
    assert filters(signal, positions, present & False).abs().max() == 0


def test_gains_may_take_the_surround_off_which_no_average_can(filters):
    """A sharp filter: what all electrodes share is gone, what one has is not."""
    signal, positions, present = inputs()
    with torch.no_grad():
        filters.gains.zero_()
        filters.gains[0, 0], filters.gains[0, 2] = 1, -1
    shared = torch.ones_like(signal)
    assert filters(shared, positions, present).abs().max() < 1e-4
    nearest = (filters.places[4] @ positions[0].T).argmax()
    single = torch.zeros_like(signal)
    single[0, nearest] = 1
    assert filters(single, positions, present)[0, 4].min() > 0.1
