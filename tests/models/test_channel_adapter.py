import pytest
import torch

from cerebro.models.channel_adapter import ADAPTERS, PerceiverChannelAdapter, ZeroPadChannelAdapter
from cerebro.recordings.montages import LAYOUTS, layout_positions, positions


@pytest.fixture
def layout() -> torch.Tensor:
    return torch.from_numpy(layout_positions("ten_twenty"))


@pytest.fixture
def net() -> torch.Tensor:
    return torch.from_numpy(positions(LAYOUTS["hbn_128"])).unsqueeze(0)


def signal_and_presence(n_chans: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, n_chans, 50, generator=generator), torch.ones(1, n_chans, dtype=torch.bool)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_the_order_of_channels_does_not_matter(name, layout, net):
    torch.manual_seed(0)
    adapter = ADAPTERS[name](layout)
    signal, present = signal_and_presence(128)
    order = torch.randperm(128, generator=torch.Generator().manual_seed(2))
    straight, _ = adapter(signal, net, present)
    shuffled, _ = adapter(signal[:, order], net[:, order], present[:, order])
    torch.testing.assert_close(straight, shuffled)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_absent_channels_do_not_matter(name, layout, net):
    torch.manual_seed(0)
    adapter = ADAPTERS[name](layout)
    signal, present = signal_and_presence(128)
    present[:, 100:] = False
    alone, _ = adapter(signal[:, :100], net[:, :100], present[:, :100])
    padded, _ = adapter(torch.where(present.unsqueeze(-1), signal, 1e6), net, present)
    torch.testing.assert_close(alone, padded)


def test_zero_pad_takes_the_published_neighbours(layout, net):
    signal, present = signal_and_presence(128)
    mapped, found = ZeroPadChannelAdapter(layout)(signal, net, present)
    names = LAYOUTS["ten_twenty"]
    assert torch.equal(mapped[0, names.index("C3")], signal[0, 36 - 1])
    assert torch.equal(mapped[0, names.index("O2")], signal[0, 83 - 1])
    assert found.sum() >= 19


def test_zero_pad_marks_positions_without_an_electrode(layout):
    signal, present = signal_and_presence(2)
    near = layout[[3, 7]].unsqueeze(0)
    mapped, found = ZeroPadChannelAdapter(layout)(signal, near, present)
    assert found[0].nonzero().flatten().tolist() == [3, 7]
    assert (mapped[0, ~found[0]] == 0).all()


def test_perceiver_starts_as_a_local_average(layout, net):
    torch.manual_seed(0)
    adapter = PerceiverChannelAdapter(layout)
    matrix = adapter.matrix(net, torch.ones(1, 128, dtype=torch.bool))[0]
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(len(layout)))
    centre = matrix @ net[0]
    distance = (torch.nn.functional.normalize(centre, dim=-1) - layout).norm(dim=-1)
    assert distance.median() < 0.2


def test_perceiver_learns_signed_maps_for_every_montage_with_one_set_of_weights(layout, net):
    torch.manual_seed(0)
    adapter = PerceiverChannelAdapter(layout)
    n_weights = sum(p.numel() for p in adapter.parameters())
    for n_chans in (21, 64, 128):
        signal, present = signal_and_presence(n_chans)
        mapped, _ = adapter(signal, net[:, :n_chans], present)
        assert mapped.shape == (1, 21, 50)
    assert n_weights == sum(p.numel() for p in adapter.parameters())
    mapped.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (adapter.gains, adapter.queries))


def test_a_dropped_channel_changes_the_perceiver_map_gracefully(layout, net):
    torch.manual_seed(0)
    adapter = PerceiverChannelAdapter(layout)
    smooth = net.sum(dim=-1, keepdim=True).expand(-1, -1, 50)  # a smooth field over the head
    present = torch.ones(1, 128, dtype=torch.bool)
    whole, _ = adapter(smooth, net, present)
    present[:, 35] = False
    dropped, _ = adapter(smooth, net, present)
    assert (whole - dropped).abs().max() < 0.05 * (smooth.max() - smooth.min())


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_without_any_channel_nothing_is_present_and_nothing_is_nan(name, layout, net):
    adapter = ADAPTERS[name](layout)
    signal, present = signal_and_presence(128)
    mapped, found = adapter(signal, net, torch.zeros_like(present))
    assert not found.any()
    assert (mapped == 0).all()
