import pytest
import torch

from cerebro.config import ContrastPhase, EncoderSettings
from cerebro.data.card import random_encoder
from cerebro.errors import UserError
from cerebro.phases.contrast import ContrastiveModel, ContrastModule


def module_and_windows() -> tuple[ContrastModule, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    encoder = random_encoder(EncoderSettings(dim=16, depth=1, heads=2), seed=0)
    model = ContrastiveModel(encoder, n_times=200, projection_dim=8)
    positions = torch.nn.functional.normalize(torch.randn(1, 30, 3), dim=-1).expand(6, -1, -1)
    return ContrastModule(model, ContrastPhase(kind="contrast")), 20 * torch.randn(6, 30, 200), positions


def test_a_model_that_gives_every_window_one_embedding_is_refused():
    module, signal, positions = module_and_windows()
    torch.nn.init.zeros_(module.model.projection.projection.weight)
    collapse = module.model(signal, positions).mean(dim=0).square().sum().item()
    with pytest.raises(UserError, match="embeddings collapsed"):
        module.refuse({"val/collapse": collapse})


def test_an_untrained_model_is_not_taken_for_a_collapsed_one():
    module, signal, positions = module_and_windows()
    collapse = module.model(signal, positions).mean(dim=0).square().sum().item()
    module.refuse({"val/collapse": collapse})
