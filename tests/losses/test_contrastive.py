"""Contrastive losses against sums written out by hand, in double precision."""

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from cerebro.losses.alignment import alignment, uniformity
from cerebro.losses.contrastive import (
    LOWEST_TEMPERATURE,
    InfoNCE,
    MovieISCLoss,
    info_nce_loss,
    multi_positive_info_nce,
)


def unit(n: int, dim: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def double(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


def test_info_nce_in_both_directions_equals_the_textbook_sum():
    first, second = unit(6, seed=1), unit(6, seed=2)
    logits = double(first) @ double(second).T / 0.1
    rows = [-np.log(np.exp(logits[i, i]) / np.exp(logits[i]).sum()) for i in range(6)]
    columns = [-np.log(np.exp(logits[i, i]) / np.exp(logits[:, i]).sum()) for i in range(6)]
    assert info_nce_loss(first, second, temperature=0.1).item() == pytest.approx(np.mean(rows), rel=1e-5)
    assert InfoNCE(0.1)(first, second).item() == pytest.approx(np.mean(rows + columns), rel=1e-5)


def test_in_batch_info_nce_is_the_cross_entropy_of_finding_the_own_row():
    first, second = unit(6, seed=1), unit(6, seed=2)
    expected = torch.nn.functional.cross_entropy(first @ second.T / 0.07, torch.arange(6))
    torch.testing.assert_close(info_nce_loss(first, second), expected)


@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
def test_explicit_negatives_replace_those_of_the_batch(own):
    query, positive = unit(4, seed=1), unit(4, seed=2)
    negatives = unit(20, seed=3).reshape(4, 5, 8) if own else unit(5, seed=3)
    losses = []
    for i in range(4):
        others = double(negatives[i] if own else negatives) @ double(query[i])
        right = double(query[i]) @ double(positive[i])
        losses.append(logsumexp(np.append(others, right) / 0.2) - right / 0.2)
    found = info_nce_loss(query, positive, negatives, temperature=0.2)
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_one_pair_without_negatives_is_refused():
    with pytest.raises(ValueError, match="no in-batch negatives"):
        info_nce_loss(unit(1), unit(1))


def test_several_positives_are_averaged_and_never_compete():
    similarity = torch.tensor([[0.9, 0.5, 0.1]])
    positive = torch.tensor([[True, True, False]])
    expected = np.mean([np.log1p(np.exp((0.1 - s) / 0.5)) for s in (0.9, 0.5)])
    loss = multi_positive_info_nce(similarity, positive, torch.ones_like(positive), 0.5)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_candidates_that_are_not_allowed_have_no_influence():
    positive = torch.tensor([[True, False, False]])
    allowed = torch.tensor([[True, True, False]])
    one = multi_positive_info_nce(torch.tensor([[0.9, 0.2, 0.99]]), positive, allowed)
    other = multi_positive_info_nce(torch.tensor([[0.9, 0.2, -0.5]]), positive, allowed)
    assert one == other


def test_without_any_positive_the_loss_is_zero_with_finite_gradients():
    similarity = unit(4) @ unit(4).T
    similarity.requires_grad_()
    none = torch.zeros(4, 4, dtype=torch.bool)
    loss = multi_positive_info_nce(similarity, none, ~none)
    loss.backward()
    assert loss.item() == 0
    assert similarity.grad.isfinite().all()


def moments() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two movies, moments at 0, 2 and 20 s, three subjects each."""
    grid = [(movie, time, subject) for movie in (0, 1) for time in (0.0, 2.0, 20.0) for subject in (0, 1, 2)]
    movie, time, subject = zip(*grid, strict=True)
    return torch.tensor(movie), torch.tensor(time), torch.tensor(subject)


def test_positives_are_other_subjects_at_the_same_moment_and_near_moments_do_not_count():
    movie, time, subject = moments()
    positive, allowed = MovieISCLoss(exclusion_seconds=4).relations(movie, time, subject)
    for i in range(len(movie)):
        for j in range(len(movie)):
            same_movie = movie[i] == movie[j]
            same = same_movie and time[i] == time[j]
            near = same_movie and not same and abs(time[i] - time[j]) < 4
            assert positive[i, j] == (same and subject[i] != subject[j])
            assert allowed[i, j] == (not near and not (same and subject[i] == subject[j]))


def test_the_movie_loss_equals_a_sum_over_anchors_and_positives_written_out():
    """Every positive against the anchor's negatives, as a loop in double precision."""
    movie, time, subject = (part.numpy() for part in moments())
    embeddings = unit(18, seed=4)
    similarity = double(embeddings) @ double(embeddings).T / 0.1
    anchors = []
    for i in range(18):
        same = (movie == movie[i]) & (time == time[i])
        near = (movie == movie[i]) & (abs(time - time[i]) < 4)
        against = similarity[i, ~near]
        pairs = np.flatnonzero(same & (subject != subject[i]))
        anchors.append(np.mean([logsumexp([*against, similarity[i, j]]) - similarity[i, j] for j in pairs]))
    loss = MovieISCLoss(temperature=0.1, exclusion_seconds=4)(embeddings, *moments())
    assert loss.item() == pytest.approx(np.mean(anchors), rel=1e-5)


def test_with_two_subjects_and_distant_moments_the_movie_loss_is_the_in_batch_one():
    first, second = unit(5, seed=1), unit(5, seed=2)
    similarity = double(torch.cat([first, second])) @ double(torch.cat([first, second])).T / 0.07
    # In-batch negatives come from both subjects here; the anchor itself is no candidate.
    expected = []
    for i in range(10):
        partner = (i + 5) % 10
        others = [similarity[i, j] for j in range(10) if j != i]
        expected.append(logsumexp(others) - similarity[i, partner])
    time = torch.arange(5.0).repeat(2) * 10
    subject = torch.arange(2).repeat_interleave(5)
    loss = MovieISCLoss()(torch.cat([first, second]), torch.zeros(10, dtype=torch.int64), time, subject)
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_constant_encoder_scores_worst():
    """Raising mean similarity alone collapses; real negatives make a collapsed encoder score log(1 + n).

    No encoder that ignores the moment does better on average, one that knows it does far better, and every
    step from the collapsed one towards it lowers the loss.
    """
    movie, time, subject = moments()
    loss = MovieISCLoss(temperature=0.1, exclusion_seconds=4)
    constant = torch.nn.functional.normalize(torch.ones(18, 6), dim=-1)
    aligned = torch.eye(6)[torch.arange(18) // 3]
    positive, allowed = loss.relations(movie, time, subject)
    n_negatives = (allowed & ~positive).sum(dim=1).float()
    collapsed = loss(constant, movie, time, subject)
    assert collapsed.item() == pytest.approx((1 + n_negatives).log().mean().item(), rel=1e-5)
    mixed = [
        loss(torch.nn.functional.normalize(constant + share * aligned, dim=-1), movie, time, subject).item()
        for share in (0.0, 0.1, 0.3, 1.0, 10.0)
    ]
    assert mixed == sorted(mixed, reverse=True)
    assert mixed[-1] < 0.1
    # By symmetry within the batch, embeddings that know nothing lose at least as much as the constant one.
    random = np.mean([loss(unit(18, dim=6, seed=s), movie, time, subject).item() for s in range(20)])
    assert random > collapsed


@pytest.mark.parametrize("make", [InfoNCE, MovieISCLoss], ids=lambda make: make.__name__)
def test_a_temperature_is_a_parameter_only_where_it_is_learned(make):
    assert list(make(0.2).parameters()) == []
    assert make(0.2).temperature().item() == pytest.approx(0.2)
    (parameter,) = make(0.2, learned=True).parameters()
    assert parameter.exp().item() == pytest.approx(0.2)


def test_a_learned_temperature_descends_for_aligned_pairs_and_stops_at_its_bound():
    loss = InfoNCE(0.1, learned=True)
    pairs = unit(8, dim=32)
    optimizer = torch.optim.SGD(loss.parameters(), lr=5.0)
    for _ in range(200):
        optimizer.zero_grad()
        loss(pairs, pairs).backward()
        optimizer.step()
    assert LOWEST_TEMPERATURE - 1e-6 <= loss.temperature().item() < 0.1


def test_alignment_and_uniformity_equal_their_definitions():
    embeddings = unit(7, seed=5)
    positive = torch.zeros(7, 7, dtype=torch.bool)
    positive[0, 1] = positive[2, 5] = True
    x = double(embeddings)
    expected = np.mean([((x[0] - x[1]) ** 2).sum(), ((x[2] - x[5]) ** 2).sum()])
    assert alignment(embeddings, positive).item() == pytest.approx(expected, rel=1e-5)
    potential = [np.exp(-2 * ((x[i] - x[j]) ** 2).sum()) for i in range(7) for j in range(i)]
    assert uniformity(embeddings).item() == pytest.approx(np.log(np.mean(potential)), rel=1e-5)
    assert uniformity(torch.ones(4, 2)).item() == pytest.approx(0)
