"""Networks of braindecode behind this package's front end and adapter."""

import numpy as np
import pytest
import torch
from scipy.signal import resample as scipy_resample

from cerebro.config import MASKABLE_NETWORKS, BraindecodeSettings
from cerebro.data.card import random_encoder
from cerebro.errors import UserError
from cerebro.models.braindecode_encoder import GRIDS, MASKABLE, BraindecodeEncoder, resample
from cerebro.models.encoder import build_encoder
from cerebro.models.front_end import SCALE_UV

NETWORKS = {
    "CBraMod": {"options": {"n_layer": 1, "dim_feedforward": 64}},
    "Labram": {"options": {"num_layers": 1}, "adapter": "interpolation"},
    "EEGNeX": {},
}


def encoder(name: str, **changes) -> BraindecodeEncoder:
    settings = BraindecodeSettings(braindecode=name, **{**NETWORKS.get(name, {}), **changes})
    built = random_encoder(settings, seed=0)
    assert isinstance(built, BraindecodeEncoder)
    return built.eval()


@pytest.fixture
def window() -> torch.Tensor:
    return 20 * torch.randn(3, 40, 200, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def positions() -> torch.Tensor:
    random = torch.randn(1, 40, 3, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.normalize(random, dim=-1).expand(3, -1, -1)


@pytest.mark.parametrize(
    ("name", "n_channels", "n_patches", "dim"),
    [("CBraMod", 21, 2, 200), ("Labram", 21, 2, 200), ("EEGNeX", 1, 1, 48), ("ShallowFBCSPNet", 1, 1, 280)],
)
def test_token_networks_give_a_grid_and_others_one_token_a_window(
    name, n_channels, n_patches, dim, window, positions
):
    built = encoder(name)
    tokens, present = built.encode(window, positions)
    assert (built.n_channels, built.n_patches(200), built.dim) == (n_channels, n_patches, dim)
    assert tokens.shape == (3, n_channels * n_patches, dim)
    assert present.shape == tokens.shape[:2]
    features = built.features(window, positions)
    shown = present.unsqueeze(-1).float()  # forty random places leave some of the layout empty
    torch.testing.assert_close(features, (tokens * shown).sum(dim=1) / shown.sum(dim=1))
    assert features.std(dim=0).mean() > 0


@pytest.mark.parametrize("name", list(NETWORKS))
def test_architecture_rebuilds_the_encoder(name, window, positions):
    built = encoder(name)
    twin = build_encoder(built.architecture).eval()
    twin.load_state_dict(built.state_dict())
    assert torch.equal(twin(window, positions), built(window, positions))


@pytest.mark.parametrize("name", list(NETWORKS))
def test_channels_may_come_in_any_order_with_their_positions(name, window, positions):
    built = encoder(name)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    expected = built(window, positions)
    torch.testing.assert_close(built(window[:, order], positions[:, order]), expected, atol=1e-4, rtol=1e-4)


def inputs_by_hand(built: BraindecodeEncoder, window, positions, *, parts: int) -> torch.Tensor:
    """What a network for µV / 100 at 200 Hz should get, resampled with scipy in so many parts."""
    referenced, present = built.front_end(window, positions)
    adapted = built.adapter(referenced, positions, present)[0].detach() * SCALE_UV / 100
    pieces = np.split(adapted.numpy(), parts, axis=-1)
    mirrored = [np.concatenate((piece, piece[..., ::-1]), axis=-1) for piece in pieces]
    doubled = [scipy_resample(piece, 800 // parts, axis=-1)[..., : 400 // parts] for piece in mirrored]
    return torch.from_numpy(np.concatenate(doubled, axis=-1).astype(np.float32))


def test_cbramod_gets_hundreds_of_microvolts_at_200_hz(window, positions):
    built = encoder("CBraMod")
    inputs = inputs_by_hand(built, window, positions, parts=2)
    expected = built.network(inputs, return_features=True)["features"].flatten(1, 2)
    torch.testing.assert_close(built(window, positions), expected, atol=1e-3, rtol=1e-3)


def test_labram_gets_its_electrodes_by_name(window, positions):
    built = encoder("Labram")
    inputs = inputs_by_hand(built, window, positions, parts=1)
    names = ["FP1", "FP2", "F7", "F3", "FZ", "F4", "F8", "T7", "C3", "CZ", "C4", "T8", "P7", "P3", "PZ"]
    names += ["P4", "P8", "O1", "O2", "A1", "A2"]
    expected = built.network(inputs, return_features=True, ch_names=names)["features"]
    torch.testing.assert_close(built(window, positions), expected, atol=1e-3, rtol=1e-3)
    with pytest.raises(UserError, match="Labram knows electrodes by the names of the 10-20 system"):
        encoder("Labram", layout="hbn_128")


def test_eegnex_gives_what_enters_its_last_layer(window, positions):
    built = encoder("EEGNeX")
    referenced, present = built.front_end(window, positions)
    adapted = built.adapter(referenced, positions, present)[0]
    from braindecode.models import EEGNeX

    whole = EEGNeX(n_chans=21, n_times=200, n_outputs=4).eval()
    whole.load_state_dict(built.network.state_dict(), strict=False)
    seen = []
    whole.final_layer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    whole(adapted)
    torch.testing.assert_close(built(window, positions).squeeze(1), seen[0])


def test_rate_and_unit_follow_the_configuration(window, positions):
    plain, loud, fast = (
        encoder("EEGNeX", **changes) for changes in ({}, {"microvolts": 10.0}, {"sfreq": 200.0})
    )
    assert plain.network.n_times == 200
    assert fast.network.n_times == 400
    assert fast.network.sfreq == 200
    torch.testing.assert_close(loud.encode(window, positions)[0], plain.encode(2 * window, positions)[0])


@pytest.mark.parametrize("frequency", [3.0, 10.0, 25.0])
def test_resampling_keeps_what_both_rates_can_carry(frequency):
    seconds, doubled = torch.arange(200) / 100, torch.arange(400) / 200
    wave = torch.cos(2 * torch.pi * frequency * seconds + 0.3)
    resampled = resample(wave[None, None], 400)[0, 0]
    torch.testing.assert_close(resampled[::2], wave, atol=1e-5, rtol=0)
    truth = torch.cos(2 * torch.pi * frequency * doubled + 0.3)
    assert (resampled - truth)[40:-40].abs().max() < 0.02


def test_cbramod_hides_patches_so_that_their_content_reaches_no_token(window, positions):
    built = encoder("CBraMod", adapter="zero_pad", reference="recorded")
    masked = torch.zeros(3, 42, dtype=torch.bool)
    masked[:, 1::2] = True  # the second half of every channel
    other = window.clone()
    other[..., 100:] += 10 * torch.randn(3, 40, 100, generator=torch.Generator().manual_seed(4))
    assert not torch.allclose(built(window, positions), built(other, positions), atol=1e-2)
    seen, unseen = (built(signal, positions, masked)[:, ::2] for signal in (window, other))
    torch.testing.assert_close(seen, unseen)
    views = torch.cat((masked, ~masked))
    tokens, present = built.encode(window, positions, views)
    assert tokens.shape == (6, 42, 200)
    assert present.shape == (6, 42)
    assert not tokens[views].any()


@pytest.mark.parametrize("name", ["Labram", "EEGNeX"])
def test_a_network_that_cannot_hide_patches_says_so(name, window, positions):
    built = encoder(name)
    masked = torch.zeros(3, built.n_channels * built.n_patches(200), dtype=torch.bool)
    with pytest.raises(ValueError, match=f"{name} cannot hide tokens"):
        built.encode(window, positions, masked)


def test_the_configuration_knows_which_networks_hide_patches():
    assert MASKABLE_NETWORKS == MASKABLE
    assert set(MASKABLE) <= set(GRIDS)


def test_a_window_of_another_length_is_refused(window, positions):
    with pytest.raises(ValueError, match="EEGNeX was built for windows of 200 samples, these have 150"):
        encoder("EEGNeX")(window[..., :150], positions)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_window_without_any_channel_gives_finite_features_and_gradients(name, positions):
    built = encoder(name)
    tokens = built(torch.zeros(3, 40, 200), positions)
    assert tokens.isfinite().all()
    tokens.sum().backward()
    assert all(p.grad.isfinite().all() for p in built.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_trained_weight_takes_part(name, window, positions):
    """A weight without a gradient stops a training on several devices."""
    built = encoder(name)
    built.encode(window, positions)[0].square().sum().backward()
    idle = [key for key, p in built.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"braindecode": "eegnex"}, "braindecode has no model 'eegnex'; nearest: EEGNeX"),
        (
            {"braindecode": "EEGNeX", "options": {"drop_prb": 0.2}},
            "EEGNeX has no such option; nearest: drop_prob",
        ),
        (
            {"braindecode": "EEGNeX", "options": {"n_times": 2}},
            "options.n_times follows from windows and layout",
        ),
        ({"braindecode": "EEGDINO"}, "EEGDINO cannot be built for 21 channels and 200 samples at 100 Hz"),
        ({"braindecode": "SSTDPN"}, "SSTDPN does not run on 21 channels of 200 samples"),
        ({"braindecode": "ATCNet"}, "ATCNet has no single final_layer"),
    ],
)
def test_a_network_that_does_not_fit_gets_one_sentence(settings, words):
    with pytest.raises(UserError) as caught:
        random_encoder(BraindecodeSettings.model_validate(settings), seed=0)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
