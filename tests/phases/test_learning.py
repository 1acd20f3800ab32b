"""What trainings learn where there is something to learn, beside what a constant answer would reach.

The shards of the other tests hold noise: their losses fall because outputs come to their means.
"""

import copy
from collections.abc import Callable

import pytest
import torch

from cerebro.phases import contrast, pretrain, tokenizer
from cerebro.phases.base import PhaseModule

pytestmark = pytest.mark.slow

Batch = dict[str, torch.Tensor]
STEPS = 300


def fit(module: PhaseModule, draw: Callable[[int], Batch]) -> None:
    weights = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=5e-3)
    for step in range(STEPS):
        optimizer.zero_grad()
        module.evaluate(draw(step))["loss"].backward()
        optimizer.step()


def constant(module: PhaseModule, output: str) -> PhaseModule:
    """The same module with an output that knows nothing of its input."""
    blind = copy.deepcopy(module)
    layer = blind.model.get_submodule(output)
    torch.nn.init.zeros_(layer.weight)
    layer.weight.requires_grad_(False)
    return blind


def generator(step: int) -> torch.Generator:
    return torch.Generator().manual_seed(step)


def test_masked_modelling_finds_hidden_waveforms_in_their_neighbours(job):
    """Fields of three sources, linear in place: what stands at an electrode follows from others."""
    changes = {"target": "signal", "tokenizer": None, "auxiliary": {}, "mix": {"hbn": 1.0}}
    module, data = pretrain.build(job("pretrain", **changes))
    module.eval()  # outside a trainer there is no step to seed the masks with
    batch = data.train[list(range(16))]

    def draw(step: int) -> Batch:
        sources = 20 * torch.randn(16, 3, 200, generator=generator(step))
        sources = torch.nn.functional.avg_pool1d(sources, 5, stride=1, padding=2) * 2
        return {**batch, "signal": batch["positions"] @ sources, "row": batch["row"] + 1000 * step}

    blind = constant(module, "decoder.output")
    fit(module, draw)
    fit(blind, draw)
    with torch.no_grad():
        losses = [float(one.evaluate(draw(10_000))["masked_loss"]) for one in (module, blind)]
    print(losses)
    assert losses[0] < 0.8 * losses[1]


def test_a_codebook_tells_rhythms_apart(job):
    """Four rhythms, of random phase: codes name them, and a constant does not predict their spectra."""
    module, data = tokenizer.build(job("tokenizer", start_epoch=0))
    batch = data.train[list(range(16))]
    rhythm = torch.arange(16) % 4
    rate = torch.tensor([4.0, 8.0, 16.0, 32.0])[rhythm].view(-1, 1, 1)

    def draw(step: int) -> Batch:
        phase = 6.28 * torch.rand(16, batch["signal"].shape[1], 1, generator=generator(step))
        wave = 20 * torch.sin(2 * torch.pi * rate * torch.arange(200) / 100 + phase)
        return {**batch, "signal": wave * (batch["positions"].abs().sum(dim=-1, keepdim=True) > 0)}

    with torch.no_grad():
        module.model.quantizer.start(module.model.vectors(draw(0)["signal"], batch["positions"]))
    blind = constant(module, "spectrum")
    fit(module, draw)
    fit(blind, draw)
    fresh = draw(10_000)
    losses = []
    for one in (module, blind):
        one.eval()
        with torch.no_grad():
            losses.append(float(one.evaluate(fresh)["amplitude"]))
    codes, present = module.model.tokenize(fresh["signal"], fresh["positions"])
    names = torch.zeros(16, 4)
    for one, code, real in zip(rhythm, codes, present, strict=True):
        names[:, one] += torch.bincount(code[real], minlength=16)
    pure = float(names.amax(dim=1).sum() / names.sum())
    print(losses, pure)
    assert losses[0] < 0.6 * losses[1]
    assert pure > 0.5  # by chance a quarter


@pytest.mark.parametrize("source", ["movie"])
def test_a_contrast_finds_the_moments_that_subjects_share(job, source):
    """Each moment has a course of its own, under as much noise; chance is one in eight."""
    module, data = contrast.build(job("contrast", init=None, sources={source: 1.0}, batch_size=16))
    rows = next(iter(data.train_sampler()))
    batch = data.train[rows]
    _, moment = torch.unique(torch.stack((batch["stream"], batch["moment"])), dim=1, return_inverse=True)

    def draw(step: int) -> Batch:
        courses = torch.randn(int(moment.max()) + 1, 1, 200, generator=generator(0))
        courses = torch.nn.functional.avg_pool1d(courses, 9, stride=1, padding=4) * 3
        noise = torch.randn(batch["signal"].shape, generator=generator(step))
        there = batch["positions"].abs().sum(dim=-1, keepdim=True) > 0
        weights = batch["positions"].sum(dim=-1, keepdim=True)
        return {**batch, "signal": 15 * (2 * courses[moment] * weights + noise) * there}

    fit(module, draw)
    module.eval()
    with torch.no_grad():
        values = module.evaluate(draw(10_000))
    found, chance = float(values["retrieval_top1"]), float(values[f"{source}/retrieval_chance"])
    print(found, chance)
    assert chance < 0.2
    assert found > 3 * chance
