import numpy as np
import pytest
import torch

from cerebro.losses.contrastive import InfoNCE, MovieISCLoss, info_nce_loss


def unit(n: int, dim: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.nn.functional.normalize(
        torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def test_info_nce_of_pairs_equals_the_textbook_sum():
    first, second = unit(6, seed=1), unit(6, seed=2)
    logits = (first @ second.T).numpy().astype(np.float64) / 0.1
    rows = [-np.log(np.exp(logits[i, i]) / np.exp(logits[i]).sum()) for i in range(6)]
    columns = [-np.log(np.exp(logits[i, i]) / np.exp(logits[:, i]).sum()) for i in range(6)]
    assert InfoNCE(0.1)(first, second).item() == pytest.approx(np.mean(rows + columns), rel=1e-5)


def test_several_positives_are_averaged_and_never_compete():
    similarity = torch.tensor([[0.9, 0.5, 0.1]])
    positive = torch.tensor([[True, True, False]])
    expected = np.mean([np.log1p(np.exp((0.1 - s) / 0.5)) for s in (0.9, 0.5)])
    loss = info_nce_loss(similarity, positive, torch.ones_like(positive), 0.5)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_candidates_that_are_not_allowed_have_no_influence():
    positive = torch.tensor([[True, False, False]])
    allowed = torch.tensor([[True, True, False]])
    one = info_nce_loss(torch.tensor([[0.9, 0.2, 0.99]]), positive, allowed)
    other = info_nce_loss(torch.tensor([[0.9, 0.2, -0.5]]), positive, allowed)
    assert one == other


def test_without_any_positive_the_loss_is_zero_with_finite_gradients():
    similarity = unit(4) @ unit(4).T
    similarity.requires_grad_()
    none = torch.zeros(4, 4, dtype=torch.bool)
    loss = info_nce_loss(similarity, none, ~none)
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


def test_a_constant_encoder_scores_worse_than_chance_never_beats_it_and_alignment_alone_does_not_help():
    """Raising mean similarity alone collapses; real negatives make the collapsed encoder score log(1 + n)."""
    movie, time, subject = moments()
    loss = MovieISCLoss(temperature=0.1, exclusion_seconds=4)
    constant = torch.ones(18, 4) / 2
    moment = torch.arange(18) // 3
    aligned = torch.eye(6)[moment]
    positive, allowed = loss.relations(movie, time, subject)
    n_negatives = (allowed & ~positive).sum(dim=1).float()
    collapsed = loss(constant, movie, time, subject)
    assert collapsed.item() == pytest.approx((1 + n_negatives).log().mean().item(), rel=1e-5)
    assert loss(aligned, movie, time, subject) < 0.01 < collapsed
