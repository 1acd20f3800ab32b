import mne
import numpy as np
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
from cerebro.recordings.montages import LAYOUTS, layout_positions, positions

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


@pytest.mark.parametrize(
    ("name", "montage", "bound"),
    [
        ("interpolation", "hbn_128", 0.02),
        ("perceiver", "hbn_128", 0.15),
        ("interpolation", "ten_twenty", 0.35),
        ("perceiver", "ten_twenty", 0.65),
    ],
)
def test_any_dropped_channel_moves_a_smooth_field_by_less_than_a_stated_share_of_its_range(
    name, montage, bound
):
    """The worst electrode at the worst place: of 21 electrodes one takes a region with it."""
    places = layout_of(montage)
    torch.manual_seed(SEED)
    adapter = ADAPTERS[name](places)
    n_chans = len(places)
    present = ~torch.eye(n_chans, dtype=torch.bool)
    signal = fields(places)
    whole, _ = adapter(signal, places.unsqueeze(0), torch.ones(1, n_chans, dtype=torch.bool))
    dropped, _ = adapter(signal.expand(n_chans, -1, -1), places.expand(n_chans, -1, -1), present)
    span = signal.amax(dim=1) - signal.amin(dim=1)
    moved = ((dropped - whole).abs() / span.unsqueeze(1)).amax()
    print(f"moved by {moved:.3f}")
    assert 0 < moved < bound


def test_a_channel_dropped_from_zero_padding_changes_its_own_place_alone(ten_twenty, net):
    adapter = ZeroPadChannelAdapter(ten_twenty)
    signal, present = signals(1, 128, 10), torch.ones(1, 128, dtype=torch.bool)
    whole, _ = adapter(signal, net.unsqueeze(0), present)
    for channel in range(128):
        present[0, channel] = False
        dropped, _ = adapter(signal, net.unsqueeze(0), present)
        changed = (dropped != whole).any(dim=-1)
        assert changed.sum() == (whole == signal[:, channel : channel + 1]).all(dim=-1).sum() <= 1
        present[0, channel] = True


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


def mne_matrix(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    matrix = _make_interpolation_matrix(source.double().numpy(), target.double().numpy())
    return torch.from_numpy(matrix).float()


@pytest.mark.parametrize(("source", "target"), [("hbn_128", "ten_twenty"), ("ten_twenty", "hbn_128")])
def test_interpolation_is_that_of_mne_whichever_channels_are_present(source, target):
    places, layout = layout_of(source), layout_of(target)
    present = torch.rand(4, len(places), generator=torch.Generator().manual_seed(SEED)) > 0.25
    found = InterpolationChannelAdapter(layout).matrix(places.expand(4, -1, -1), present)
    for window in range(4):
        expected = torch.zeros(len(layout), len(places))
        expected[:, present[window]] = mne_matrix(places[present[window]], layout)
        torch.testing.assert_close(found[window], expected, rtol=0, atol=1e-5)


def test_interpolation_is_what_mne_makes_of_a_recording():
    """Through MNE's public function, with positions in metres and the smoothing of `interpolate_bads`."""
    names, wanted = LAYOUTS["hbn_128"][::2], TUH_MONTAGE[:-2]
    signal = signals(len(names), 40).double()
    raw = mne.io.RawArray(signal.numpy(), mne.create_info(list(names), 100.0, "eeg"), verbose="error")
    raw.set_montage(montage(names))
    expected = raw.interpolate_to(
        montage(wanted), method="spline", origin=(0.0, 0.0, 0.0), reg=1e-5
    ).get_data()
    adapter = InterpolationChannelAdapter(torch.from_numpy(positions(wanted)))
    places = torch.from_numpy(positions(names)).unsqueeze(0)
    mapped, _ = adapter(signal.float().unsqueeze(0), places, torch.ones(1, len(names), dtype=torch.bool))
    np.testing.assert_allclose(mapped[0], expected, atol=1e-4)


def montage(names: tuple[str, ...]) -> mne.channels.DigMontage:
    places = dict(zip(names, 0.095 * positions(names).astype(float), strict=True))
    return mne.channels.make_dig_montage(places, coord_frame="head")


def test_without_training_the_perceiver_interpolates_hidden_electrodes_better_than_their_neighbours_do(net):
    torch.manual_seed(SEED)
    adapter = PerceiverChannelAdapter(net)
    truth = fields(net)
    every_tenth = torch.arange(128) % 10 == 0
    mapped, _ = adapter(truth, net.unsqueeze(0), ~every_tenth.unsqueeze(0))
    beside = (net @ net.T).masked_fill(every_tenth, -1).argmax(dim=1)
    error = (mapped - truth)[0, every_tenth].square().mean()
    assert error < 0.1 * (truth[:, beside] - truth)[0, every_tenth].square().mean()


def test_every_weight_of_the_perceiver_learns(ten_twenty, net):
    adapter = PerceiverChannelAdapter(ten_twenty)
    mapped, _ = adapter(signals(2, 128, 10), net.expand(2, -1, -1), torch.ones(2, 128, dtype=torch.bool))
    mapped.square().sum().backward()
    assert [name for name, weights in adapter.named_parameters() if not weights.grad.abs().sum()] == []
