import pytest
import torch
from torch import nn

from cerebro.config import EncoderSettings
from cerebro.data.card import random_encoder
from cerebro.models.low_rank import SCALE, add_low_rank, merge_low_rank


def test_an_update_adds_its_scaled_product_and_merges_into_a_plain_weight():
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 1))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    inputs = torch.randn(3, 6)
    original = layer(inputs)
    add_low_rank(layer, 2)
    torch.testing.assert_close(layer(inputs), original)  # updates start at zero
    update = layer[0].parametrizations["weight"][0]
    nn.init.normal_(update.up)
    expected = before["0.weight"] + SCALE * update.up @ update.down
    adapted = layer(inputs)
    merge_low_rank(layer)
    assert set(layer.state_dict()) == set(before)
    torch.testing.assert_close(layer[0].weight, expected)
    torch.testing.assert_close(layer(inputs), adapted)
    assert torch.equal(layer[2].weight, before["2.weight"])  # narrower than the rank: none


def test_only_updates_are_trained():
    encoder = random_encoder(EncoderSettings(dim=16, depth=1, heads=2), seed=0)
    add_low_rank(encoder, 2)
    trained = {name.rpartition(".")[2] for name, p in encoder.named_parameters() if p.requires_grad}
    assert trained == {"up", "down"}
    n_trained = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    assert n_trained < 0.3 * sum(p.numel() for p in encoder.parameters())


def test_a_module_without_a_large_enough_layer_is_refused():
    with pytest.raises(ValueError, match=r"larger than the rank \(4\)"):
        add_low_rank(nn.Linear(8, 4), 4)
