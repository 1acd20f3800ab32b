"""Weight decay pulls weights of layers towards zero, and nothing for which zero is no neutral value."""

import pytest
import torch
from torch import nn

from cerebro.config import BraindecodeSettings, EncoderSettings
from cerebro.data.card import random_encoder
from cerebro.models.low_rank import add_low_rank
from cerebro.phases.base import layer_weights
from cerebro.phases.run import KINDS

NODES = ("tokenizer", "pretrain", "contrast", "reaction_time", "externalizing")
LAYERS = (
    "query_key_value",
    "query",
    "key_value",
    "attention_output",
    "feed_forward.1",
    "feed_forward.3",
    "patch_embedding.layers.0",
    "patch_embedding.layers.2",
    "keys.projection",
    "where.projection",
    "when.projection",
    "to_code.0",
    "to_code.2",
    "from_code",
    "spectrum",
    "decoder.output",
    "layers.1",  # of auxiliary heads, behind their norm
    "layers.3",
    "movie.projection",
    "pooling.queries",
    "head.regression",
    "head.evidence",
)
"""Linear and convolutional layers of our own models outside of the adapter, by the end of their names."""


def decayed(module: nn.Module) -> dict[str, bool]:
    """Names of a module's trained parameters, and whether its optimiser decays them."""
    optimizer = module.configure_optimizers()["optimizer"]
    names = {id(parameter): name for name, parameter in module.model.named_parameters()}
    return {
        names[id(parameter)]: group["weight_decay"] > 0
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


@pytest.mark.parametrize("node", NODES)
def test_only_weights_of_linear_and_convolutional_layers_are_decayed(job, trained, node):
    settings = {"objective": "distribution"} if node == "reaction_time" else {}
    asked = job(node, weight_decay=0.3, **settings)
    module, _ = KINDS[asked.phase.kind](asked)
    found = decayed(module)
    assert set(found) == {n for n, p in module.model.named_parameters() if p.requires_grad}
    for name, is_decayed in found.items():
        if ".adapter." not in name:
            assert is_decayed == name.endswith(tuple(f"{layer}.weight" for layer in LAYERS)), name
    adapter = {name: is_decayed for name, is_decayed in found.items() if ".adapter." in name}
    assert not any(is_decayed for name, is_decayed in adapter.items() if not name.endswith(".weight"))
    assert any(name.endswith("adapter.queries") for name in adapter)


def test_decay_alone_leaves_the_adapter_as_it_was(job, trained):
    """Without gradients an optimiser that decays what it should not would pull the interpolation to zero."""
    asked = job("pretrain", weight_decay=0.3, learning_rate=3e-3)
    module, _ = KINDS[asked.phase.kind](asked)
    optimizer = module.configure_optimizers()["optimizer"]
    for group in optimizer.param_groups:
        group["lr"] = 3e-3
    tables = {n: p for n, p in module.model.encoder.adapter.named_parameters() if not n.endswith("weight")}
    before = {name: table.detach().clone() for name, table in tables.items()}
    assert "queries" in before
    layer = module.model.encoder.blocks[0].query_key_value.weight
    size = float(layer.detach().norm())
    for parameter in module.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for _ in range(100):
        optimizer.step()
    assert float(layer.detach().norm()) == pytest.approx(size * (1 - 3e-3 * 0.3) ** 100, rel=1e-4)
    for name, table in tables.items():
        torch.testing.assert_close(table.detach(), before[name])


def test_layers_of_braindecode_and_low_rank_updates_are_decayed_too():
    network = random_encoder(BraindecodeSettings(braindecode="EEGNeX"), 0)
    names = {name for name, _ in layer_weights(network)}
    convolutions = {n for n, p in network.named_parameters() if p.ndim == 4}
    assert convolutions
    assert convolutions <= names
    attention = nn.Sequential(nn.MultiheadAttention(8, 2), nn.LayerNorm(8))
    assert {name for name, _ in layer_weights(attention)} == {"0.in_proj_weight", "0.out_proj.weight"}
    encoder = random_encoder(EncoderSettings(dim=16, depth=1, heads=2), 0)
    add_low_rank(encoder, 2)
    trained = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert trained
    assert trained <= {name for name, _ in layer_weights(encoder)}
