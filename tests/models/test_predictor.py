import torch

from cerebro.models.encoder import Encoder
from cerebro.models.predictor import Predictor, build_predictor


def predictor() -> Predictor:
    torch.manual_seed(0)
    layout = torch.nn.functional.normalize(torch.randn(5, 3), dim=-1)
    encoder = Encoder(
        layout=layout, adapter="perceiver", patch_samples=50, sfreq=100, dim=16, depth=1, heads=2
    )
    head = {"kind": "regression", "n_patches": None}
    return Predictor(encoder, head, mean=1.6, deviation=0.4, low=0.0, high=2.4).eval()


def windows() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    positions = torch.nn.functional.normalize(torch.randn(3, 9, 3, generator=generator), dim=-1)
    return 20 * torch.randn(3, 9, 200, generator=generator), positions


def test_an_untrained_predictor_answers_the_training_mean():
    torch.testing.assert_close(predictor()(*windows()), torch.full((3, 1), 1.6))


def test_answers_are_in_target_units_and_clipped_to_the_plausible_range():
    model = predictor()
    model.head.regression.bias.data.fill_(1.0)
    torch.testing.assert_close(model(*windows()), torch.full((3, 1), 2.0))
    model.head.regression.bias.data.fill_(50.0)
    assert (model(*windows()) == 2.4).all()


def test_architecture_rebuilds_the_predictor():
    model = predictor()
    torch.nn.init.normal_(model.head.regression.weight)
    twin = build_predictor(model.architecture).eval()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(*windows()), model(*windows()))


def test_shrinkage_draws_answers_towards_the_constant():
    model = predictor()
    model.head.regression.bias.data.fill_(1.0)
    model.shrinkage, model.constant = 0.25, 1.5
    torch.testing.assert_close(model(*windows()), torch.full((3, 1), 1.6))
    twin = build_predictor(model.architecture).eval()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(*windows()), model(*windows()))
    torch.nn.init.normal_(model.head.regression.weight)
    assert not model.answers_constant
    model.shrinkage = 0.0
    assert model.answers_constant
    torch.testing.assert_close(model(*windows()), torch.full((3, 1), 1.5))
