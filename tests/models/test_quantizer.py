import pytest
import torch

from cerebro.models.quantizer import DEAD_BELOW, VectorQuantizer, perplexity


def clusters(n: int = 512, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.nn.functional.normalize(torch.randn(8, 6, generator=generator), dim=-1)
    return centres[torch.arange(n) % 8] + 0.05 * torch.randn(n, 6, generator=generator)


def test_codes_are_the_most_similar_ones():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(16, 6).eval()
    vectors = clusters(40)
    _, index, _ = quantizer(vectors)
    cosine = torch.nn.functional.cosine_similarity(vectors[:, None], quantizer.codes[None], dim=-1)
    assert torch.equal(index, cosine.argmax(dim=-1))


def test_the_codebook_starts_from_the_clusters_of_what_it_is_given():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(12, 6)
    quantizer.start(clusters())
    _, index, commitment = quantizer.eval()(clusters())
    assert perplexity(torch.bincount(index, minlength=12).float()) > 8
    assert commitment < 0.03
    means = torch.nn.functional.normalize(clusters(), dim=-1).view(-1, 8, 6).mean(dim=0)
    assert (means @ quantizer.codes.T).amax(dim=1).min() > 0.97
    assert quantizer.usage.mean().item() == pytest.approx(1)


def test_a_fresh_start_is_not_taken_for_dead_codes():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(64, 6)
    quantizer.start(clusters(4096))
    before = quantizer.codes.clone()
    quantizer(clusters(512))
    assert (before * quantizer.codes).sum(dim=1).min() > 0.99


def test_codebook_learns_the_clusters_of_its_input():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(16, 6, decay=0.8)
    for seed in range(60):
        quantizer(clusters()[torch.randperm(512, generator=torch.Generator().manual_seed(seed))])
    _, index, commitment = quantizer.eval()(clusters())
    labels = torch.arange(512) % 8
    pure = sum((labels[index == k] == labels[index == k].mode().values).sum() for k in index.unique()) / 512
    assert pure > 0.98
    assert commitment < 0.1
    assert perplexity(torch.bincount(index, minlength=16).float()) > 8


def test_dead_codes_are_revived_onto_data():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(32, 6, decay=0.5)
    quantizer.codes.copy_(torch.tensor([1.0, 0, 0, 0, 0, 0]).expand(32, 6))  # a collapsed codebook
    for _ in range(20):
        quantizer(clusters())
    used = torch.bincount(quantizer.eval()(clusters())[1], minlength=32).gt(0).float().mean()
    assert used > 0.5


def distinct(codes: torch.Tensor) -> int:
    """Places that codes have."""
    return len(torch.unique(codes.round(decimals=4), dim=0))


def test_dead_codes_are_revived_onto_places_of_their_own():
    """Also where many die at once and most vectors of the batch are alike."""
    torch.manual_seed(0)
    vectors = torch.cat((clusters(8).repeat(40, 1), torch.eye(6)))
    for n_codes in (6, 12):
        quantizer = VectorQuantizer(n_codes, 6, decay=0.01)
        quantizer.codes.copy_(torch.tensor([-1.0, -1, -1, -1, -1, -1]).div(6**0.5).expand(n_codes, 6))
        quantizer(vectors)
        assert (quantizer.usage >= DEAD_BELOW).all()
        assert distinct(quantizer.codes) == n_codes


def test_codes_without_a_place_of_their_own_stay_dead_until_there_is_one():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(16, 6, decay=0.01)
    few = clusters(3).repeat(20, 1)
    quantizer.start(few)
    _, _, commitment = quantizer.eval()(few)
    assert commitment < 1e-6
    quantizer.train()(few)
    assert (quantizer.usage < DEAD_BELOW).sum() == 16 - 3
    quantizer(clusters(8).repeat(20, 1))
    assert (quantizer.usage < DEAD_BELOW).sum() == 16 - 8
    living = quantizer.codes[quantizer.usage >= DEAD_BELOW]
    assert distinct(living) == 8


def test_gradient_passes_straight_through_and_codes_have_none():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(8, 6)
    vectors = clusters(32).requires_grad_()
    quantised, _, _ = quantizer(vectors)
    (quantised * torch.ones(6)).sum().backward()
    assert vectors.grad.abs().sum() > 0
    assert not quantizer.codes.requires_grad


def test_evaluation_changes_no_state():
    torch.manual_seed(0)
    quantizer = VectorQuantizer(8, 6).eval()
    before = {key: value.clone() for key, value in quantizer.state_dict().items()}
    quantizer(clusters())
    assert all(torch.equal(before[key], value) for key, value in quantizer.state_dict().items())


def test_perplexity_is_the_effective_number_of_codes():
    assert perplexity(torch.tensor([5.0, 5, 5, 5])).item() == 4
    assert perplexity(torch.tensor([20.0, 0, 0, 0])).item() == 1
