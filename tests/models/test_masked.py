import pytest
import torch

from cerebro.models.masked import MaskedDecoder
from cerebro.models.masking import choose, put_back, take
from cerebro.models.measured import MeasuredPatches
from cerebro.recordings.montages import layout_positions


def wanted(seed: int = 0) -> torch.Tensor:
    return torch.rand(5, 12, generator=torch.Generator().manual_seed(seed)) < 0.4


def test_chosen_tokens_are_the_wanted_ones_in_order_and_come_back_to_their_places():
    values = torch.randn(5, 12, 3)
    places, valid = choose(wanted())
    for row in range(5):
        assert places[row][valid[row]].tolist() == wanted()[row].nonzero().flatten().tolist()
    back = put_back(take(values, places), places, valid, 12)
    assert torch.equal(back, values * wanted().unsqueeze(-1))


def test_taking_works_for_values_of_any_shape_per_token():
    places, _ = choose(wanted())
    codes = torch.arange(60).view(5, 12)
    spectra = codes.view(5, 12, 1, 1).expand(-1, -1, 3, 4)
    assert torch.equal(take(spectra, places)[..., 1, 2], take(codes, places))


def decoder() -> MaskedDecoder:
    torch.manual_seed(0)
    layout = torch.nn.functional.normalize(torch.randn(3, 3), dim=-1)
    return MaskedDecoder(layout, 0.5, dim=16, heads=2, n_outputs=7).eval()


def test_predictions_depend_on_visible_tokens_alone():
    model, tokens = decoder(), torch.randn(5, 12, 16)
    hidden = wanted(1)
    prediction, places, valid = model(tokens, ~hidden, hidden)
    assert torch.equal(choose(hidden)[0], places)
    junk = torch.where(hidden.unsqueeze(-1), 99.0, tokens)
    torch.testing.assert_close(model(junk, ~hidden, hidden)[0], prediction)
    other = torch.where(hidden.unsqueeze(-1), tokens, tokens + torch.randn(16))
    assert ((model(other, ~hidden, hidden)[0] - prediction).abs().amax(dim=-1)[valid] > 1e-4).all()


def test_each_hidden_place_is_answered_on_its_own():
    """Asking for fewer places changes no other answer."""
    model, tokens, hidden = decoder(), torch.randn(1, 12, 16), torch.zeros(1, 12, dtype=torch.bool)
    hidden[0, [2, 5, 9]] = True
    all_three = model(tokens, ~hidden, hidden)[0]
    assert (all_three[0, 0] - all_three[0, 1]).abs().max() > 1e-4  # places differ
    one = hidden.clone()
    one[0, [2, 9]] = False
    torch.testing.assert_close(model(tokens, ~hidden, one)[0][0, 0], all_three[0, 1])


def test_an_untrained_decoder_attends_to_what_is_near_in_space_and_time():
    """Far tokens change an answer by less than near ones do."""
    torch.manual_seed(0)
    layout = torch.nn.functional.normalize(torch.tensor([[0, 0, 1.0], [0, 0.5, 1], [0, 0, -1]]), dim=-1)
    model = MaskedDecoder(layout, 0.5, dim=16, heads=2, n_outputs=7).eval()
    tokens, hidden = torch.randn(1, 12, 16), torch.zeros(1, 12, dtype=torch.bool)
    hidden[0, 0] = True  # first channel, first patch
    answer = model(tokens, ~hidden, hidden)[0]

    def change(token: int) -> float:
        other = tokens.clone()
        other[0, token] += 3
        return (model(other, ~hidden, hidden)[0] - answer).abs().max().item()

    near, late, far = change(4), change(3), change(8)  # a neighbour now; the same channel, 1.5 s on; behind
    assert near > 20 * late
    assert near > 20 * far


def test_distances_are_chords_and_seconds_between_tokens():
    places = decoder().places
    squared = places.squared_distances(4)
    chord = (places.layout[0] - places.layout[2]).square().sum()
    assert squared.shape == (12, 12, 2)
    torch.testing.assert_close(squared[1, 11], torch.stack((chord, torch.tensor(1.0))))


def test_a_window_of_which_nothing_is_visible_is_answered_with_finite_numbers():
    hidden = torch.ones(2, 12, dtype=torch.bool)
    prediction, _, _ = decoder()(torch.zeros(2, 12, 16), ~hidden, hidden)
    prediction.sum().backward()
    assert prediction.isfinite().all()


def test_measured_patches_are_what_the_nearest_electrodes_recorded_in_token_order():
    torch.manual_seed(0)
    positions = torch.nn.functional.normalize(torch.randn(1, 9, 3), dim=-1)
    signal = 20 * torch.randn(1, 9, 220)
    patches, present = MeasuredPatches(positions[0, [4, 1]], 50)(signal, positions)
    referenced = (signal - signal.mean(dim=1, keepdim=True)) / 20
    assert present.all()
    torch.testing.assert_close(patches[0, :4].flatten(), referenced[0, 4, :200])
    torch.testing.assert_close(patches[0, 4:].flatten(), referenced[0, 1, :200])


@pytest.mark.parametrize("silent", [0, 4])
def test_a_place_without_an_electrode_has_no_target(silent):
    torch.manual_seed(0)
    positions = torch.from_numpy(layout_positions("ten_twenty")[:9]).unsqueeze(0)
    signal = 20 * torch.randn(1, 9, 200)
    signal[0, silent] = 0
    _, present = MeasuredPatches(positions[0, [4, 1]], 50)(signal, positions)
    assert present[0, 4:].all()
    assert present[0, :4].all() == (silent != 4)
