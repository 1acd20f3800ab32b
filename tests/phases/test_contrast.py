"""Phase 2 as a training: its losses, its refusals, and the same gradients on one process as on two."""

import pytest
import torch

from cerebro.config import Compute, ContrastPhase, EncoderSettings
from cerebro.data.card import load_contrastive, random_encoder, read_card
from cerebro.errors import UserError
from cerebro.files import read_json
from cerebro.models.contrastive import ContrastiveModel
from cerebro.phases.contrast import ContrastModule, build, centred
from cerebro.phases.job import PhaseJob

ALL = {"movie": 0.5, "resting_state": 0.25, "task": 0.25}
COURSES = {"movie": True, "resting_state": False, "task": True}


def module_and_windows(**settings) -> tuple[ContrastModule, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    encoder = random_encoder(EncoderSettings(dim=16, depth=1, heads=2), seed=0)
    model = ContrastiveModel(encoder, n_times=200, courses={"movie": True}, projection_dim=8)
    positions = torch.nn.functional.normalize(torch.randn(1, 30, 3), dim=-1).expand(6, -1, -1)
    phase = ContrastPhase(kind="contrast", **settings)
    return ContrastModule(model, phase), 20 * torch.randn(6, 30, 200), positions


def collapse(module: ContrastModule, signal: torch.Tensor, positions: torch.Tensor) -> dict[str, float]:
    embeddings = module.model(signal, positions)["movie"]
    return {"val/movie/collapse": embeddings.mean(dim=0).square().sum().item()}


def test_a_model_that_gives_every_window_one_embedding_is_refused_with_its_source():
    module, signal, positions = module_and_windows()
    with pytest.raises(UserError, match="source 'movie' collapsed"):
        module.refuse(collapse(module, signal[:1].expand(6, -1, -1), positions))


def test_states_collapse_before_their_mean_is_taken_away(study):
    """What is left without the mean has no length at all when all embeddings are equal."""
    module, data = build(job(study, {"resting_state": 1}))
    batch = data.train[next(iter(data.train_sampler()))]
    module.refuse({f"val/{name}": float(value) for name, value in module.evaluate(batch).items()})
    batch["signal"] = batch["signal"][:1].expand_as(batch["signal"])
    batch["positions"] = batch["positions"][:1].expand_as(batch["positions"])
    with pytest.raises(UserError, match="source 'resting_state' collapsed"):
        module.refuse({f"val/{name}": float(value) for name, value in module.evaluate(batch).items()})


def test_an_untrained_model_is_not_taken_for_a_collapsed_one():
    module, signal, positions = module_and_windows()
    module.refuse(collapse(module, signal, positions))


@pytest.mark.parametrize("learned", [False, True])
def test_only_a_learned_temperature_is_trained(learned):
    module, _, _ = module_and_windows(learn_temperature=learned)
    trained = {
        id(p) for group in module.configure_optimizers()["optimizer"].param_groups for p in group["params"]
    }
    weights = {id(p) for p in module.model.parameters() if p.requires_grad}
    assert weights <= trained
    assert len(trained) == len(weights) + learned


def job(study, sources, **settings) -> PhaseJob:
    phase = {"kind": "contrast", "sources": sources, "batch_size": 24, "learning_rate": 1e-3, **settings}
    encoder = {"dim": 16, "depth": 1, "heads": 2}
    return PhaseJob.parse(
        "contrast",
        {"phase": phase, "encoder": encoder, "lineage": ["contrast"]},
        index=study.index,
        parents={},
        compute=Compute(accelerator="cpu", threads=1),
    )


def test_what_all_states_share_is_taken_away_before_they_are_compared():
    common = torch.tensor([3.0, 4.0, 0.0])
    own = torch.tensor([[0.01, 0.0, 0.0], [-0.01, 0.0, 0.0]])
    torch.testing.assert_close(centred(common + own), own / 0.01, atol=1e-3, rtol=0)


GOLDEN = [4.4773, 3.8913, 4.5758, 4.3074, 2.3535, 3.5713, 4.2316, 3.3409, 3.7319, 2.5851]


def test_ten_steps_lose_what_they_lost_when_this_was_written(study):
    """A change of sampling, of a loss, of the model or of the optimiser shows here."""
    torch.manual_seed(0)
    module, data = build(job(study, ALL, epochs=1, steps_per_epoch=10))
    optimizer = module.configure_optimizers()["optimizer"]
    losses = []
    for rows in data.train_sampler():
        values = module.evaluate(data.train[rows])
        optimizer.zero_grad()
        values["loss"].backward()
        optimizer.step()
        losses.append(values["loss"].item())
    print([round(loss, 4) for loss in losses])
    assert losses == pytest.approx(GOLDEN, rel=1e-3)


def test_the_loss_is_the_mean_of_the_sources_by_their_weights(study):
    module, data = build(job(study, {"movie": 3.0, "resting_state": 1.0}))
    values = module.evaluate(data.train[next(iter(data.train_sampler()))])
    expected = 0.75 * values["movie/loss"] + 0.25 * values["resting_state/loss"]
    torch.testing.assert_close(values["loss"], expected)
    assert not [name for name in values if name.startswith("task")]


def test_a_source_alone_loses_what_it_loses_beside_others(study):
    """Windows of different sources are never compared."""
    module, data = build(job(study, ALL))
    rows = next(iter(data.train_sampler()))
    batch = data.train[rows]
    whole = module.evaluate(batch)
    for name, code in module.codes.items():
        own = batch["source"] == code
        part = {key: value[own] for key, value in batch.items()}
        embeddings = module.model(part["signal"], part["positions"])[name]
        embeddings = embeddings if COURSES[name] else centred(embeddings)
        alone = module.losses[name](embeddings, part["stream"], part["moment"], part["subject"])
        torch.testing.assert_close(alone, whole[f"{name}/loss"], rtol=1e-4, atol=1e-5)


def test_a_finished_phase_reports_every_source_and_its_projections_load(trained, train):
    folder = train("contrast", "all_sources", sources=ALL, learn_temperature=True)
    metrics = read_json(folder / "metrics.json")
    for source in ALL:
        for name in ("loss", "retrieval_top1", "retrieval_chance", "alignment", "uniformity", "collapse"):
            assert f"val/{source}/{name}" in metrics
        assert 0 < metrics[f"val/{source}/retrieval_chance"] < 1
    assert read_card(folder)["contrastive"]["courses"] == COURSES
    assert set(load_contrastive(folder).projections) == set(ALL)


TWO_RANKS = """
import sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from cerebro.config import ContrastPhase, EncoderSettings
from cerebro.data.card import random_encoder
from cerebro.models.contrastive import ContrastiveModel
from cerebro.phases.contrast import ContrastModule

rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method="file://{meet}", rank=rank, world_size=2)
saved = torch.load({inputs!r})
module = ContrastModule(
    ContrastiveModel(
        random_encoder(EncoderSettings(dim=16, depth=1, heads=2), seed=0),
        n_times=200, courses={courses!r}, projection_dim=8,
    ),
    ContrastPhase(kind="contrast", sources={sources!r}, learn_temperature=True),
)
module.load_state_dict(saved["state"])
module.forward = module.evaluate
batch = {{key: value[saved["shares"][rank]] for key, value in saved["batch"].items()}}
shared = DistributedDataParallel(module)
loss = shared(batch)["loss"]
loss.backward()
gradients = {{name: p.grad for name, p in module.named_parameters() if p.grad is not None}}
torch.save((loss.detach(), gradients), {outputs!r} + str(rank))
dist.destroy_process_group()
"""


def test_two_ranks_have_the_loss_and_the_gradients_of_one_process(study, in_two_processes, tmp_path):
    """Real processes with gloo; the ranks hold different numbers of windows, and one holds no trial."""
    torch.manual_seed(0)
    module, data = build(job(study, ALL, learn_temperature=True, projection_dim=8))
    rows = next(iter(data.train_sampler()))
    batch = data.train[rows]
    values = module.evaluate(batch)
    values["loss"].backward()
    first = torch.arange(0, 14)
    shares = [first, torch.arange(14, len(rows))]
    assert (batch["source"][first] != module.codes["task"]).all()
    inputs, outputs = tmp_path / "inputs.pt", str(tmp_path / "rank")
    torch.save({"state": module.state_dict(), "batch": batch, "shares": shares}, inputs)
    script = TWO_RANKS.format(
        meet=tmp_path / "meet",
        inputs=str(inputs),
        courses=COURSES,
        sources=ALL,
        outputs=outputs,
    )
    in_two_processes(script)
    expected = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    for rank in range(2):
        loss, gradients = torch.load(outputs + str(rank), weights_only=True)
        torch.testing.assert_close(loss, values["loss"].detach(), rtol=1e-5, atol=1e-6)
        assert set(gradients) == set(expected)
        for name, gradient in gradients.items():
            error = (gradient - expected[name]).abs().max().item()
            assert error < 1e-4 * expected[name].abs().max().item() + 1e-6, f"{name}: {error}"
