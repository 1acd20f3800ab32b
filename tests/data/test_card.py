import pytest
import torch

from cerebro.config import EncoderSettings
from cerebro.data.card import load_encoder, random_encoder, write_phase_output
from cerebro.errors import UserError


def test_an_encoder_survives_the_disk_bit_for_bit(tmp_path):
    encoder = random_encoder(EncoderSettings(dim=16, depth=1, heads=2), seed=0)
    model = torch.nn.Module()
    model.encoder = encoder
    write_phase_output(tmp_path, model, {"kind": "test"})
    loaded = load_encoder(tmp_path)
    assert not loaded.training
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), loaded.parameters(), strict=True))


def test_a_random_encoder_depends_on_its_seed_alone():
    settings = EncoderSettings(dim=16, depth=1, heads=2)
    torch.manual_seed(5)
    first, drawn = random_encoder(settings, seed=0), torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    second, other = random_encoder(settings, seed=0), random_encoder(settings, seed=1)
    key = "blocks.0.query_key_value.weight"
    assert torch.equal(first.state_dict()[key], second.state_dict()[key])
    assert not torch.equal(first.state_dict()[key], other.state_dict()[key])


@pytest.mark.parametrize(("layout", "n_layout"), [("ten_twenty", 21), ("hbn_128", 128)])
def test_both_layouts_encode(layout, n_layout):
    encoder = random_encoder(EncoderSettings(layout=layout, dim=16, depth=1, heads=2), seed=0)
    assert len(encoder.architecture["layout"]) == n_layout
    tokens = encoder(
        20 * torch.randn(1, 21, 200), torch.nn.functional.normalize(torch.randn(1, 21, 3), dim=-1)
    )
    assert tokens.shape == (1, n_layout * 4, 16)


def test_a_folder_without_a_card_is_named(tmp_path):
    with pytest.raises(UserError, match="is not the output of a finished phase"):
        load_encoder(tmp_path)
