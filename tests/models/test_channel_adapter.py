import pytest
import torch
from mne.channels.interpolation import _make_interpolation_matrix

from cerebro.models.channel_adapter import (
    ADAPTERS,
    ChannelAdapter,
    InterpolationChannelAdapter,
    PerceiverChannelAdapter,
    ZeroPadChannelAdapter,
)
from cerebro.recordings.montages import LAYOUTS, layout_positions

SEED = 11
TUH_MONTAGE = LAYOUTS["ten_twenty"]
every_adapter = pytest.mark.parametrize("name", sorted(ADAPTERS))


def layout_of(name: str) -> torch.Tensor:
    return torch.from_numpy(layout_positions(name))


@pytest.fixture
def ten_twenty() -> torch.Tensor:
    return layout_of("ten_twenty")


@pytest.fixture
def net() -> torch.Tensor:
    return layout_of("hbn_128")


def learned(name: str, layout: torch.Tensor) -> ChannelAdapter:
    """An adapter whose weights, if it has any, are far from where they start."""
    print(f"seed {SEED}")
    torch.manual_seed(SEED)
    adapter = ADAPTERS[name](layout)
    with torch.no_grad():
        for weights in adapter.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    return adapter


def signals(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(SEED))


def fields(places: torch.Tensor) -> torch.Tensor:
    """Ten smooth fields over the head, (1, n, 10): bumps that fall to half within 49 degrees."""
    centres = torch.nn.functional.normalize(signals(10, 3) + torch.tensor([0.0, 0.0, 1.0]), dim=-1)
    return (2 * (places @ centres.T - 1)).exp().unsqueeze(0)


@every_adapter
@pytest.mark.parametrize("missing", [[], ["E11"], ["E6", "E62", "E22"]])
def test_the_order_of_channels_does_not_matter(name, missing, ten_twenty, net):
    """Not even where two electrodes are equally near, as E5 and E12 to Fz once E11 is gone."""
    adapter = learned(name, ten_twenty)
    present = torch.tensor([[channel not in missing for channel in LAYOUTS["hbn_128"]]])
    signal, places = signals(1, 128, 50), net.unsqueeze(0)
    straight, found = adapter(signal, places, present)
    for seed in range(3):
        order = torch.randperm(128, generator=torch.Generator().manual_seed(seed))
        shuffled, found_again = adapter(signal[:, order], places[:, order], present[:, order])
        torch.testing.assert_close(straight, shuffled, rtol=1e-4, atol=1e-4)
        assert torch.equal(found, found_again)


@every_adapter
def test_absent_channels_do_not_matter(name, ten_twenty, net):
    adapter = learned(name, ten_twenty)
    signal, places = signals(1, 128, 50), net.unsqueeze(0)
    present = torch.arange(128).unsqueeze(0) < 100
    alone, _ = adapter(signal[:, :100], places[:, :100], present[:, :100])
    padded, _ = adapter(torch.where(present.unsqueeze(-1), signal, 1e6), places, present)
    torch.testing.assert_close(alone, padded, rtol=1e-4, atol=1e-4)


@every_adapter
def test_a_window_is_mapped_alike_alone_and_among_windows_that_miss_other_channels(name, ten_twenty, net):
    adapter = learned(name, ten_twenty)
    places = net.expand(6, -1, -1)
    present = torch.rand(3, 128, generator=torch.Generator().manual_seed(SEED)).repeat(2, 1) > 0.3
    signal = signals(6, 128, 20)
    together, found = adapter(signal, places, present)
    for window in range(6):
        one = slice(window, window + 1)
        alone, found_alone = adapter(signal[one], places[one], present[one])
        torch.testing.assert_close(together[one], alone, rtol=1e-4, atol=1e-4)
        assert torch.equal(found[one], found_alone)


@every_adapter
def test_21_channels_of_tuh_reach_the_128_of_hbn_with_the_weights_that_map_128_to_128(name, ten_twenty, net):
    adapter = learned(name, net)
    for places in (ten_twenty, net, net[::2]):
        signal = signals(2, len(places), 30)
        mapped, found = adapter(
            signal, places.expand(2, -1, -1), torch.ones(2, len(places), dtype=torch.bool)
        )
        assert mapped.shape == (2, 128, 30)
        assert found.shape == (2, 128)
        assert torch.isfinite(mapped).all()


@every_adapter
def test_each_sample_is_mapped_by_itself(name, ten_twenty, net):
    adapter = learned(name, ten_twenty)
    present = torch.ones(1, 128, dtype=torch.bool)
    signal = signals(1, 128, 50)
    whole, _ = adapter(signal, net.unsqueeze(0), present)
    part, _ = adapter(signal[..., 20:21], net.unsqueeze(0), present)
    torch.testing.assert_close(whole[..., 20:21], part, rtol=1e-4, atol=1e-4)


@every_adapter
def test_a_batch_without_any_channel_gives_zeros_and_finite_gradients(name, ten_twenty, net):
    adapter = learned(name, ten_twenty)
    signal = signals(2, 128, 10).requires_grad_()
    present = torch.zeros(2, 128, dtype=torch.bool)
    mapped, found = adapter(signal, net.expand(2, -1, -1), present)
    assert not found.any()
    assert (mapped == 0).all()
    mapped.sum().backward()
    for gradient in (signal.grad, *(weights.grad for weights in adapter.parameters())):
        assert gradient is None or torch.isfinite(gradient).all()


@every_adapter
def test_one_window_without_channels_leaves_the_gradients_of_the_others_finite(name, ten_twenty, net):
    adapter = learned(name, ten_twenty)
    present = torch.ones(3, 128, dtype=torch.bool)
    present[1] = False
    mapped, found = adapter(signals(3, 128, 10), net.expand(3, -1, -1), present)
    assert found.any(dim=1).tolist() == [True, False, True]
    for weights in adapter.parameters():
        (gradient,) = torch.autograd.grad(mapped.square().mean(), weights, retain_graph=True)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().sum() > 0


@every_adapter
def test_bfloat16_autocast_moves_no_electrode(name, ten_twenty, net):
    adapter = learned(name, ten_twenty)
    signal, present = signals(1, 128, 20), torch.ones(1, 128, dtype=torch.bool)
    exact, found = adapter(signal, net.unsqueeze(0), present)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, found_cast = adapter(signal, net.unsqueeze(0), present)
        from_half, _ = adapter(signal.bfloat16(), net.unsqueeze(0), present)
    assert torch.equal(exact, cast)
    assert torch.equal(found, found_cast)
    torch.testing.assert_close(exact, from_half, rtol=0.05, atol=0.05)


@every_adapter
def test_a_dropped_channel_changes_the_position_whose_cell_it_lies_in_and_no_other(name, ten_twenty, net):
    adapter = learned(name, ten_twenty)
    places, signal = net.unsqueeze(0), signals(1, 128, 10)
    whole, _ = adapter(signal, places, torch.ones(1, 128, dtype=torch.bool))
    dropped, _ = adapter(
        signal.expand(128, -1, -1), places.expand(128, -1, -1), ~torch.eye(128, dtype=torch.bool)
    )
    changed = (dropped - whole).abs().amax(dim=-1) > 1e-5  # (128, n_layout)
    own = adapter.cells(places)[0].T
    assert not (changed & ~own).any()
    if name != "zero_pad":  # which reads one electrode of each cell
        assert torch.equal(changed, own)


def test_every_electrode_lies_in_the_cell_of_its_nearest_position_unless_it_is_on_face_or_neck(
    ten_twenty, net
):
    cells = ZeroPadChannelAdapter(ten_twenty).cells(net.unsqueeze(0))[0]
    angle = torch.rad2deg((ten_twenty @ net.T).clamp(-1, 1).arccos())
    for electrode, name in enumerate(LAYOUTS["hbn_128"]):
        nearest = angle[:, electrode].argmin()
        expected = [int(nearest)] if angle[nearest, electrode] <= 30 else []
        assert cells[:, electrode].nonzero().flatten().tolist() == expected, name
    outside = [name for name, lies in zip(LAYOUTS["hbn_128"], cells.any(dim=0), strict=True) if not lies]
    assert outside == ["E68", "E73", "E81", "E88", "E94", "E126", "E127"]


def test_an_electrode_between_two_positions_has_one_cell_however_its_batch_is_made(ten_twenty):
    """Fp1 and Fp2 seen from the midline: the same one of them in every batch."""
    middle = torch.nn.functional.normalize(ten_twenty[:2].sum(dim=0) * torch.tensor([0.0, 1, 1]), dim=0)
    mirrored = ten_twenty.clone()
    mirrored[1] = mirrored[0] * torch.tensor([-1.0, 1, 1])
    adapter = ZeroPadChannelAdapter(mirrored)
    found = set()
    for n in (1, 2, 7, 64):
        cells = adapter.cells(torch.cat((middle.view(1, 1, 3), torch.zeros(1, n, 3)), dim=1).repeat(n, 1, 1))
        assert (cells.sum(dim=(1, 2)) == 1).all()  # zeros, which pad a montage, lie in no cell
        found |= set(cells[:, :, 0].int().argmax(dim=1).tolist())
    assert len(found) == 1


def test_zero_padding_takes_the_published_neighbours(ten_twenty, net):
    signal = signals(1, 128, 50)
    mapped, found = ZeroPadChannelAdapter(ten_twenty)(
        signal, net.unsqueeze(0), torch.ones(1, 128, dtype=torch.bool)
    )
    for place, channel in {"C3": 36, "C4": 104, "F3": 24, "Pz": 62, "O1": 70, "O2": 83, "Fp1": 22}.items():
        assert torch.equal(mapped[0, TUH_MONTAGE.index(place)], signal[0, channel - 1])
    assert found.sum() >= 19


def test_zero_padding_uses_every_electrode_at_most_once_and_leaves_the_rest_empty(ten_twenty, net):
    signal = signals(1, 21, 50)
    mapped, found = ZeroPadChannelAdapter(net)(
        signal, ten_twenty.unsqueeze(0), torch.ones(1, 21, dtype=torch.bool)
    )
    assert found.sum() == 21
    assert {tuple(row.tolist()) for row in mapped[0, found[0]]} == {tuple(row.tolist()) for row in signal[0]}
    assert (mapped[0, ~found[0]] == 0).all()


def test_zero_padding_puts_channels_of_the_layout_s_own_names_into_their_places(net):
    signal = signals(1, 128, 50)
    mapped, found = ZeroPadChannelAdapter(net)(signal, net.unsqueeze(0), torch.ones(1, 128, dtype=torch.bool))
    assert found.all()
    assert torch.equal(mapped, signal)


def mne_weights(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    matrix = _make_interpolation_matrix(source.double().numpy(), target.double().numpy())
    return torch.from_numpy(matrix).float()


@pytest.mark.parametrize(("source", "target"), [("hbn_128", "ten_twenty"), ("ten_twenty", "hbn_128")])
def test_splines_within_a_cell_are_those_of_mne_whichever_channels_are_present(source, target):
    places, layout = layout_of(source), layout_of(target)
    present = torch.rand(4, len(places), generator=torch.Generator().manual_seed(SEED)) > 0.25
    adapter = InterpolationChannelAdapter(layout)
    matrix, found = adapter.matrix(places.expand(4, -1, -1), present)
    members = adapter.cells(places.expand(4, -1, -1)) & present.unsqueeze(1)
    assert torch.equal(found, members.any(dim=2))
    for window, position in found.nonzero().tolist():
        cell = members[window, position]
        expected = torch.zeros(len(places))
        expected[cell] = mne_weights(places[cell], layout[position : position + 1])[0]
        torch.testing.assert_close(matrix[window, position], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["interpolation", "perceiver"])
def test_without_training_cells_whose_nearest_electrode_is_gone_are_interpolated_better_than_by_the_next(
    name, ten_twenty, net
):
    torch.manual_seed(SEED)
    everywhere = torch.ones(1, 128, dtype=torch.bool)
    nearest = ZeroPadChannelAdapter(ten_twenty)
    left = ~nearest.matrix(net.unsqueeze(0), everywhere)[0].any(dim=1)
    signal, truth = fields(net), fields(ten_twenty)

    def error(adapter: ChannelAdapter) -> torch.Tensor:
        mapped, found = adapter(signal, net.unsqueeze(0), left)
        assert found.all()
        return (mapped - truth).square().mean()

    assert error(ADAPTERS[name](ten_twenty)) < 0.5 * error(nearest)


def test_every_weight_of_the_perceiver_learns(ten_twenty, net):
    adapter = PerceiverChannelAdapter(ten_twenty)
    mapped, _ = adapter(signals(2, 128, 10), net.expand(2, -1, -1), torch.ones(2, 128, dtype=torch.bool))
    mapped.square().sum().backward()
    assert [name for name, weights in adapter.named_parameters() if not weights.grad.abs().sum()] == []
