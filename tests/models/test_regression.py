"""Heads of Phase 3: what they can and cannot see, where they start, and what their distribution means."""

import math

import pytest
import torch

from cerebro.models.regression import (
    ChannelPooling,
    FactorHead,
    RegressionHead,
    ResponseHead,
    build_head,
)

N_LAYOUT, N_PATCHES, DIM = 5, 4, 16


def tokens(n_patches: int = N_PATCHES) -> torch.Tensor:
    return torch.randn(2, N_LAYOUT * n_patches, DIM, generator=torch.Generator().manual_seed(0))


def windows(n_times: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    positions = torch.nn.functional.normalize(torch.randn(2, 9, 3, generator=generator), dim=-1)
    return 20 * torch.randn(2, 9, n_times, generator=generator), positions


def everything(n_patches: int = N_PATCHES) -> torch.Tensor:
    return torch.ones(2, N_LAYOUT * n_patches, dtype=torch.bool)


def trained_head(n_patches: int | None) -> RegressionHead:
    torch.manual_seed(0)
    head = RegressionHead(DIM, N_LAYOUT, n_patches=n_patches).eval()
    torch.nn.init.normal_(head.regression.weight)
    return head


def response_head(*, first: float = -0.5, n_bins: int = 34, **options) -> ResponseHead:
    torch.manual_seed(0)
    layout = torch.nn.functional.normalize(torch.randn(N_LAYOUT, 3), dim=-1)
    return ResponseHead(
        DIM,
        N_LAYOUT,
        mean=1.6,
        deviation=0.4,
        first=first,
        n_bins=n_bins,
        window_start=0.5,
        layout=layout.tolist(),
        sfreq=100.0,
        **options,
    ).eval()


def test_an_untrained_head_answers_zero_whatever_the_window():
    for head in (
        RegressionHead(DIM, N_LAYOUT, n_patches=N_PATCHES),
        RegressionHead(DIM, N_LAYOUT, n_patches=None),
        FactorHead(DIM, N_LAYOUT, n_factors=3),
    ):
        assert head.constant
        assert (head.eval()(tokens(), everything(), *windows()) == 0).all()


def test_what_stays_the_same_through_the_window_is_invisible_to_a_time_course():
    steady = tokens(1).unflatten(1, (N_LAYOUT, 1)).expand(-1, -1, N_PATCHES, -1).flatten(1, 2)
    answer = trained_head(N_PATCHES)(steady, everything(), *windows())
    torch.testing.assert_close(answer, torch.zeros(2, 1), atol=1e-5, rtol=0)
    assert trained_head(None)(steady, everything(), *windows()).abs().min() > 1e-3


def test_the_order_of_moments_matters_to_a_time_course_and_not_to_a_trait():
    reversed_ = tokens().unflatten(1, (N_LAYOUT, N_PATCHES)).flip(2).flatten(1, 2)
    trait, course = trained_head(None), trained_head(N_PATCHES)
    rest = (everything(), *windows())
    torch.testing.assert_close(trait(tokens(), *rest), trait(reversed_, *rest), atol=1e-4, rtol=1e-4)
    assert (course(tokens(), *rest) - course(reversed_, *rest)).abs().min() > 1e-2


@pytest.mark.parametrize("head", [trained_head(N_PATCHES), response_head()], ids=["regression", "response"])
def test_absent_channels_have_no_say(head):
    if isinstance(head, ResponseHead):
        torch.nn.init.normal_(head.evidence.weight)
    present = everything()
    present[:, 12:16] = False
    other = tokens()
    other[:, 12:16] = 50
    rest = (present, *windows())
    torch.testing.assert_close(head(tokens(), *rest), head(other, *rest))


def test_a_time_course_of_another_length_is_refused():
    with pytest.raises(ValueError, match="4 patches are expected, got 3"):
        trained_head(4)(tokens(3), everything(3), *windows())


def test_externalizing_follows_from_its_factors_by_the_slopes():
    head = FactorHead(DIM, N_LAYOUT, n_factors=3).eval()
    head.slopes.copy_(torch.tensor([0.5, -1.0, 2.0]))
    head.factors.regression.bias.data.copy_(torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(head(tokens(), everything(), *windows()), torch.full((2, 1), 0.5 - 2 + 6))


def test_an_untrained_distribution_is_that_of_the_training_times_whatever_the_window():
    print("seed 2")
    seconds = 1.6 + 0.3 * torch.randn(500, generator=torch.Generator().manual_seed(2))
    head = response_head()
    head.bias.data.copy_(head.log_prior(seconds, jitter=0.0, width=0.1))
    assert head.constant
    logits = head.logits(tokens(), everything(), *windows())
    torch.testing.assert_close(logits[0], logits[1])
    probability = logits[0].softmax(0).detach()
    assert probability @ head.centres == pytest.approx(float(seconds.mean()), abs=0.02)
    spread = math.sqrt(probability @ (head.centres - seconds.mean()).square())
    assert spread == pytest.approx(math.hypot(float(seconds.std()), 0.1), abs=0.03)


def test_soft_targets_have_their_time_as_expectation_and_move_with_it():
    head = response_head()
    seconds = torch.tensor([1.23, 1.33])
    wanted = head.soft_targets(seconds, 0.1)
    torch.testing.assert_close(wanted.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(wanted @ head.centres, seconds, atol=1e-3, rtol=0)
    torch.testing.assert_close(wanted[0, :-1], wanted[1, 1:], atol=1e-4, rtol=0)
    expected = (seconds - 1.6) / 0.4
    answer = head.expectation((wanted + 1e-12).log()).squeeze(1)
    torch.testing.assert_close(answer, expected, atol=1e-2, rtol=0)


def test_evidence_moves_with_the_pattern_so_that_all_moments_share_what_is_learned():
    """A burst later in the window gives the same evidence in later bins."""
    head = response_head(kernel_seconds=0.2)
    torch.nn.init.normal_(head.evidence.weight[:, :24])
    torch.nn.init.zeros_(head.evidence.weight[:, 24:])  # tokens are not moved here
    times = torch.arange(200) / 100
    signal = 1e-3 * torch.randn(1, 9, 200, generator=torch.Generator().manual_seed(3))
    signal = signal + 10 * torch.sin(2 * math.pi * 10 * times) * torch.randn(
        9, 1, generator=torch.Generator().manual_seed(4)
    )
    positions = windows()[1][:1]
    early, late = (signal * (1 + 2 * torch.exp(-((times - moment) ** 2) / 0.02)) for moment in (0.7, 1.2))
    rest = (tokens()[:1], everything()[:1])
    evidence = [head.logits(*rest, x, positions)[0] - head.bias for x in (early, late)]
    # The window starts at 0.5 s, bin 10. Bins around either burst, 0.5 s apart.
    torch.testing.assert_close(evidence[0][14:20], evidence[1][19:25], atol=0.05, rtol=0.05)
    assert evidence[0].abs().max() > 0.5


def test_evidence_outside_of_the_bins_is_left_away():
    narrow, wide = response_head(first=0.5, n_bins=15), response_head()
    for head in (narrow, wide):
        torch.manual_seed(5)
        torch.nn.init.normal_(head.evidence.weight)
    inputs = (tokens(), everything(), *windows())
    torch.testing.assert_close(narrow.logits(*inputs), wide.logits(*inputs)[:, 10:25])
    torch.testing.assert_close(narrow.centres, wide.centres[10:25])


def test_a_head_is_built_again_from_its_plain_description():
    head = build_head({"kind": "factors", "n_factors": 4, "dropout": 0.2}, DIM, N_LAYOUT)
    assert isinstance(head, FactorHead)
    assert head.slopes.shape == (4,)


def test_absent_channels_stay_out_where_norms_are_single_and_products_half_precision():
    """As on a GPU under autocast: the smallest float32 is no number of bfloat16."""
    pooling, present = ChannelPooling(DIM, N_LAYOUT), everything()
    present[:, :N_PATCHES] = False
    other = tokens()
    other[:, :N_PATCHES] += 3
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(pooling(tokens(), present), pooling(other, present))
