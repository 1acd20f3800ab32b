"""Linear interpolation against what theory says of planted covariances."""

import pytest
import torch

from cerebro.phases.interpolation import RIDGE, Covariances, fit_covariances, interpolate

SEED = 8


def generator() -> torch.Generator:
    print(f"seed {SEED}")
    return torch.Generator().manual_seed(SEED)


def planted(n_channels: int, n_times: int, *, between: float, onwards: float) -> Covariances:
    """Channels that correlate by ``between`` each, samples by ``onwards`` from one to the next."""
    space = torch.full((n_channels, n_channels), between).fill_diagonal_(1.0)
    samples = torch.arange(n_times)
    return Covariances(space, onwards ** (samples[:, None] - samples[None, :]).abs())


def drawn(covariances: Covariances, n: int) -> torch.Tensor:
    noise = torch.randn(n, len(covariances.space), len(covariances.time), generator=generator())
    return torch.linalg.cholesky(covariances.space) @ noise @ torch.linalg.cholesky(covariances.time).T


def test_it_is_the_conditional_expectation_of_a_gaussian_with_noise():
    covariances = planted(3, 8, between=0.6, onwards=0.8)
    values = drawn(covariances, 5)
    visible = torch.rand(values.shape, generator=generator()) < 0.5
    visible[4] = False
    for kind in ("space", "time", "both"):
        space, time = covariances.factors(kind)
        found = interpolate(values, visible, space, time)
        whole = torch.kron(*(part if part.ndim > 1 else torch.diag(part) for part in (space, time)))
        for window in range(5):
            seen = visible[window].flatten()
            noisy = whole[seen][:, seen] + RIDGE * torch.eye(int(seen.sum()))
            expected = whole[:, seen] @ torch.linalg.solve(noisy, values[window].flatten()[seen])
            torch.testing.assert_close(found[window].flatten(), expected, atol=0.02, rtol=0)


def test_covariances_are_found_again_whatever_the_windows_loudness_and_absent_channels():
    truth = planted(4, 60, between=0.5, onwards=0.7)
    values = drawn(truth, 3000) * 10 ** torch.rand(3000, 1, 1, generator=generator())
    present = torch.rand(3000, 4, generator=generator()) < 0.8
    values = torch.where(present.unsqueeze(2), values, 1e3)  # what is absent is not looked at
    found = fit_covariances((values[rows], present[rows]) for rows in (slice(0, 2000), slice(2000, 3000)))
    torch.testing.assert_close(found.space, truth.space, atol=0.1, rtol=0)
    torch.testing.assert_close(found.time, truth.time, atol=0.05, rtol=0)


@pytest.mark.parametrize(("between", "onwards"), [(0.9, 0.0), (0.0, 0.9), (0.9, 0.9)])
def test_the_error_is_that_of_theory(between, onwards):
    """Every other sample of one of two channels hidden.

    A channel that correlates by r leaves 1 - r² of the variance; of an autoregressive signal the neighbours
    on both sides leave (1 - r²) / (1 + r²); with both there is at most the smaller of the two.
    """
    truth = planted(2, 41, between=between, onwards=onwards)
    values = drawn(truth, 2000)
    fitted = fit_covariances([(values[:1000], torch.ones(1000, 2, dtype=torch.bool))])
    visible = torch.ones(1000, 2, 41, dtype=torch.bool)
    visible[:, 0, 1::2] = False

    def error(kind: str) -> float:
        missed = interpolate(values[1000:], visible, *fitted.factors(kind)) - values[1000:]
        return missed[:, 0, 1::2].square().mean().item()

    across, along = 1 - between**2, (1 - onwards**2) / (1 + onwards**2)
    assert error("space") == pytest.approx(across, abs=0.04)
    assert error("time") == pytest.approx(along, abs=0.04)
    if not between or not onwards:
        assert error("both") == pytest.approx(min(across, along), abs=0.04)
    else:
        assert error("both") < min(across, along) - 0.02
