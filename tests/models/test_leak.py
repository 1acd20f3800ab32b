"""Independent noise in each electrode: whatever tells of a hidden one came through the model itself."""

import pytest
import torch

from cerebro.config import EncoderSettings
from cerebro.data.card import random_encoder
from cerebro.models.adapter_base import ChannelAdapter
from cerebro.models.channel_adapter import ADAPTERS
from cerebro.models.encoder import Encoder
from cerebro.models.front_end import FrontEnd
from cerebro.models.leak import leak
from cerebro.models.measured import MeasuredPatches
from cerebro.recordings.montages import LAYOUTS, layout_positions, positions

SEED = 3
MONTAGES = {
    "net_128": " ".join(LAYOUTS["hbn_128"]),
    "net_129": " ".join((*LAYOUTS["hbn_128"], "Cz")),
    "ten_ten_64": "Fp1 AF7 AF3 F1 F3 F5 F7 FT7 FC5 FC3 FC1 C1 C3 C5 T7 TP7 CP5 CP3 CP1 P1 P3 P5 P7 P9 PO7 "
    "PO3 O1 Iz Oz POz Pz CPz Fpz Fp2 AF8 AF4 AFz Fz F2 F4 F6 F8 FT8 FC6 FC4 FC2 FCz Cz C2 C4 C6 T8 TP8 CP6 "
    "CP4 CP2 P2 P4 P6 P8 P10 PO8 PO4 O2",
    "ten_twenty_19": " ".join(LAYOUTS["ten_twenty"][:-2]),
    "sixteen": "Fp1 Fp2 F7 F3 F4 F8 T7 C3 C4 T8 P7 P3 P4 P8 O1 O2",
    "emotiv": "AF3 F7 F3 FC5 T7 P7 O1 O2 P8 T8 FC6 F4 F8 AF4",
    "muse": "TP9 AF7 AF8 TP10",
}
every_montage = pytest.mark.parametrize("montage", list(MONTAGES))


def places_of(montage: str) -> torch.Tensor:
    return torch.from_numpy(positions(MONTAGES[montage].split())).unsqueeze(0)


def encoder(**settings) -> Encoder:
    built = random_encoder(EncoderSettings(**settings), seed=SEED)
    assert isinstance(built, Encoder)
    return built.eval()


def measured(adapter: ChannelAdapter, montage: str, reference: str = "average") -> tuple[float, float]:
    """Leak and reference share, every tenth electrode of a larger montage bad."""
    places = places_of(montage).expand(2, -1, -1)
    present = torch.ones(places.shape[:2], dtype=torch.bool)
    if places.shape[1] > 14:
        present[1, ::10] = False
    generator = torch.Generator().manual_seed(SEED)
    return leak(adapter, FrontEnd(reference), places, present, share=0.5, generator=generator)


def strongly_moved(adapter: ChannelAdapter) -> ChannelAdapter:
    torch.manual_seed(SEED)
    with torch.no_grad():
        for weights in adapter.parameters():
            weights.add_(torch.randn_like(weights))
    return adapter


@every_montage
@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("name", [None, *ADAPTERS])
def test_nothing_of_a_hidden_electrode_is_visible_beyond_what_the_common_reference_tells(
    montage, layout, name
):
    """On the encoder that a configuration gives by default, and on each adapter, untrained and moved."""
    chosen = {"layout": layout} if name is None else {"layout": layout, "adapter": name}
    adapter = encoder(**chosen).adapter
    for moved in (adapter, strongly_moved(adapter)):
        found, reference = measured(moved, montage)
        print(f"{montage}: leak {found:.3f}, reference {reference:.3f}")
        assert found - reference < 0.02
        assert 0 <= found <= reference + 1e-6


def test_of_four_channels_the_common_average_tells_a_third_and_no_reference_tells_nothing():
    """x1 - m, hidden with x2 - m, where x3 - m and x4 - m are seen: their sum is all that tells of it."""
    places = places_of("muse")
    everywhere, adapter = torch.ones(1, 4, dtype=torch.bool), ADAPTERS["zero_pad"](places[0])
    for reference, expected in (("average", 1 / 3), ("recorded", 0.0)):
        generator = torch.Generator().manual_seed(SEED)
        found = leak(adapter, FrontEnd(reference), places, everywhere, share=0.5, generator=generator)
        assert found == pytest.approx((expected, expected), abs=1e-9)


@pytest.mark.parametrize("name", list(ADAPTERS))
@pytest.mark.parametrize(
    ("montage", "positions_told"),
    [
        ("net_128", 21),
        ("net_129", 21),
        ("ten_ten_64", 19),
        ("ten_twenty_19", 19),
        ("sixteen", 16),
        ("emotiv", 12),
        ("muse", 4),
    ],
)
def test_a_montage_has_as_many_positions_as_it_can_tell_apart(name, montage, positions_told):
    places = places_of(montage)
    adapter = strongly_moved(encoder(adapter=name).adapter)
    everywhere = torch.ones(1, places.shape[1], dtype=torch.bool)
    matrix, found = adapter.matrix(places, everywhere)
    assert found.sum() == positions_told
    assert ((matrix != 0).sum(dim=1) <= 1).all()  # no electrode is read twice
    torch.testing.assert_close(matrix.sum(dim=2), found.float(), atol=1e-3, rtol=0)  # a constant stays


class OneRow(ChannelAdapter):
    """Reads every electrode everywhere, as adapters did before they had cells."""

    def matrix(self, positions, present):
        cosine = self.layout @ positions.transpose(1, 2)
        weights = (-(2 - 2 * cosine) / (2 * 0.25**2)).masked_fill(~present.unsqueeze(1), -1e9).softmax(dim=-1)
        return weights, present.any(dim=1, keepdim=True).expand(-1, len(self.layout))


@pytest.mark.parametrize(("montage", "at_least"), [("sixteen", 0.2), ("emotiv", 0.2), ("muse", 0.5)])
def test_an_adapter_that_reads_beyond_its_cells_is_found_out(montage, at_least):
    found, reference = measured(OneRow(torch.from_numpy(layout_positions("ten_twenty"))), montage)
    assert found - reference > at_least


@every_montage
@pytest.mark.parametrize("name", list(ADAPTERS))
def test_a_changed_signal_behind_a_hidden_token_moves_no_visible_token(montage, name):
    """From electrodes to tokens, in a reference that electrodes do not share."""
    model = encoder(adapter=name, reference="recorded", dim=16, depth=2, heads=2)
    strongly_moved(model.adapter)
    print(f"seed {SEED}")
    generator = torch.Generator().manual_seed(SEED)
    places = places_of(montage)
    n_chans = places.shape[1]
    window = 20 * torch.randn(1, n_chans, 200, generator=generator)
    target = MeasuredPatches(model.adapter.layout, 50, "recorded")
    cells = model.adapter.cells(places)[0]
    patch = 2
    for position in cells.any(dim=1).nonzero().flatten().tolist():
        masked = torch.rand(1, model.n_channels * 4, generator=generator) < 0.5
        token = position * 4 + patch
        masked[0, token] = True
        changed = window.clone()
        behind = changed[0, cells[position], patch * 50 : (patch + 1) * 50]
        # As loud as before: an outlier would be absent from the whole window.
        changed[0, cells[position], patch * 50 : (patch + 1) * 50] = behind.flip(-1)
        before, present = model.encode(window, places, masked)
        after, present_after = model.encode(changed, places, masked)
        assert torch.equal(present, present_after)
        torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-5)
        moved = (target(window, places)[0] != target(changed, places)[0]).any(dim=-1)[0]
        assert moved.nonzero().flatten().tolist() == [token]  # and what is asked for is what was hidden
