import pytest
import torch

from cerebro.models.encoder import Encoder, build_encoder


@pytest.fixture
def positions() -> torch.Tensor:
    random = torch.randn(1, 12, 3, generator=torch.Generator().manual_seed(3))
    return torch.nn.functional.normalize(random, dim=-1)


@pytest.fixture
def encoder(positions) -> Encoder:
    torch.manual_seed(0)
    layout = positions[0, :5]
    built = Encoder(
        layout=layout, adapter="zero_pad", patch_samples=50, sfreq=100, dim=16, depth=2, heads=2
    ).eval()
    return built


@pytest.fixture
def window() -> torch.Tensor:
    return 20 * torch.randn(1, 12, 200, generator=torch.Generator().manual_seed(4))


def test_hidden_tokens_are_left_out_of_attention_and_stay_zero(encoder, window, positions):
    """As if they were never there: hiding all patches of a channel is that channel's absence."""
    masked = torch.zeros(1, 20, dtype=torch.bool)
    masked[0, 4 * 4 :] = True
    tokens = encoder(window, positions, masked)
    assert (tokens[0, 16:] == 0).all()
    embedded, present = encoder._embed(window, positions)
    present[0, 16:] = False
    torch.testing.assert_close(tokens[0, :16], encoder._transform(embedded, present)[0, :16])


def test_views_of_a_window_are_independent_of_each_other(encoder, window, positions):
    """Many masks in one call, embedded once; views that hide different numbers of tokens pad each other."""
    windows, places = torch.cat((window, window.flip(-1))), positions.expand(2, -1, -1)
    masks = torch.rand(6, 20, generator=torch.Generator().manual_seed(6)) < 0.5
    masks[0] = False
    together, present = encoder.encode(windows, places, masks)
    assert present.shape == (6, 20)
    for view in range(3):
        for number in range(2):
            row = 2 * view + number
            alone = encoder(windows[number : number + 1], places[:1], masks[row : row + 1])
            torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


def test_a_view_in_which_everything_is_hidden_is_finite(encoder, window, positions):
    tokens = encoder(window, positions, torch.ones(1, 20, dtype=torch.bool))
    assert (tokens == 0).all()
    tokens.sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)


def test_adding_absent_channels_changes_no_token(encoder, window, positions):
    """Zero-padded channels change every token of LaBraM through the shared statistics."""
    padded = torch.cat((window, torch.zeros(1, 7, 200)), dim=1)
    more = torch.cat((positions, torch.zeros(1, 7, 3)), dim=1)
    torch.testing.assert_close(encoder(window, positions), encoder(padded, more))


def test_amplitude_is_seen_but_does_not_swamp_the_waveform(encoder, window, positions):
    """In volts, LaBraM's tokens are all alike; here the scale is one input and the shape stays visible."""
    soft, loud = encoder(window, positions), encoder(10 * window, positions)
    assert not torch.allclose(soft, loud, atol=1e-2)
    spread = loud.flatten(0, 1).std(dim=0).mean()
    assert spread > 0.2


def test_tokens_of_an_absent_layout_channel_are_never_attended_to(encoder, window, positions):
    silent = window.clone()
    silent[0, 4] = 0  # the electrode of layout channel 4 is flat
    tokens, present = encoder.encode(silent, positions)
    assert not present[0, 16:].any()
    assert present[0, :16].all()
    elsewhere = positions.clone()
    elsewhere[0, 4] = -positions[0, 0]
    torch.testing.assert_close(tokens[0, :16], encoder(silent, elsewhere)[0, :16])


@pytest.mark.parametrize(("n_chans", "n_times"), [(12, 200), (8, 400), (12, 120)])
def test_channel_count_and_window_length_may_differ_from_batch_to_batch(
    encoder, window, positions, n_chans, n_times
):
    signal = window.repeat(1, 1, 2)[:, :n_chans, :n_times]
    tokens = encoder(signal, positions[:, :n_chans])
    assert tokens.shape == (1, 5 * (n_times // 50), 16)
    assert tokens.isfinite().all()
    assert encoder.features(signal, positions[:, :n_chans]).shape == (1, 16)


def test_position_and_time_tell_identical_patches_apart(encoder, positions):
    one = 20 * torch.sin(torch.arange(50) / 5).repeat(4)
    signal = torch.zeros(1, 12, 200)
    signal[0, 0], signal[0, 1] = one, one
    signal[0, 2:] = -one * 2 / 10
    tokens = encoder(signal, positions)[0]
    assert (tokens[0] - tokens[1]).abs().max() > 1e-3  # same channel, next patch
    assert (tokens[0] - tokens[4]).abs().max() > 1e-3  # next channel, same patch


def test_no_two_tokens_share_a_place(encoder):
    """LaBraM's class token has the position of its first channel in pretraining."""
    places = encoder.places(6)
    apart = torch.cdist(places, places) + torch.eye(len(places))
    assert apart.min() > 0.01 * places.norm(dim=1).mean()


def test_a_windows_tokens_do_not_depend_on_the_batch_it_is_in(encoder, window, positions):
    """Statistics over a batch or a plane would let other windows in."""
    loud = torch.cat((window, 50 * window.flip(-1)))
    alone = encoder(window, positions)
    torch.testing.assert_close(encoder(loud, positions.expand(2, -1, -1))[:1], alone, atol=1e-5, rtol=1e-5)


def test_a_window_without_any_channel_gives_finite_features_and_gradients(encoder, positions):
    features = encoder.features(torch.zeros(2, 12, 200), positions.expand(2, -1, -1))
    assert features.isfinite().all()
    encoder(torch.zeros(1, 12, 200), positions).sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)


def test_a_window_shorter_than_a_patch_is_refused(encoder, window, positions):
    with pytest.raises(ValueError, match="shorter than a patch"):
        encoder(window[..., :49], positions)


def test_architecture_rebuilds_the_encoder(encoder, window, positions):
    twin = build_encoder(encoder.architecture).eval()
    twin.load_state_dict(encoder.state_dict())
    assert torch.equal(twin(window, positions), encoder(window, positions))
