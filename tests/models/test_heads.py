import pytest
import torch

from cerebro.models.heads import ContrastiveProjectionHead, RegressionHead


def tokens(n_layout: int = 5, n_patches: int = 4) -> torch.Tensor:
    return torch.randn(2, n_layout * n_patches, 16, generator=torch.Generator().manual_seed(0))


def trained_head(n_patches: int | None) -> RegressionHead:
    torch.manual_seed(0)
    head = RegressionHead(16, 5, n_patches=n_patches).eval()
    torch.nn.init.normal_(head.regression.weight)
    return head


def test_an_untrained_head_answers_zero():
    head = RegressionHead(16, 5, n_patches=4).eval()
    assert (head(tokens(), torch.ones(2, 20, dtype=torch.bool)) == 0).all()


def test_what_stays_the_same_through_the_window_is_invisible_to_a_time_course():
    steady = tokens(n_patches=1).unflatten(1, (5, 1)).expand(-1, -1, 4, -1).flatten(1, 2)
    present = torch.ones(2, 20, dtype=torch.bool)
    torch.testing.assert_close(trained_head(4)(steady, present), torch.zeros(2, 1), atol=1e-5, rtol=0)
    assert trained_head(None)(steady, present).abs().min() > 1e-3


def test_the_order_of_moments_matters_to_a_time_course_and_not_to_a_trait():
    present = torch.ones(2, 20, dtype=torch.bool)
    reversed_ = tokens().unflatten(1, (5, 4)).flip(2).flatten(1, 2)
    trait, course = trained_head(None), trained_head(4)
    torch.testing.assert_close(trait(tokens(), present), trait(reversed_, present), atol=1e-4, rtol=1e-4)
    assert (course(tokens(), present) - course(reversed_, present)).abs().min() > 1e-2


def test_absent_channels_have_no_say():
    present = torch.ones(2, 20, dtype=torch.bool)
    present[:, 12:16] = False
    other = tokens()
    other[:, 12:16] = 50
    head = trained_head(4)
    torch.testing.assert_close(head(tokens(), present), head(other, present))


def test_a_time_course_of_another_length_is_refused():
    with pytest.raises(ValueError, match="4 patches are expected, got 3"):
        trained_head(4)(tokens(n_patches=3), torch.ones(2, 15, dtype=torch.bool))


def projection(n_patches: int | None) -> ContrastiveProjectionHead:
    torch.manual_seed(0)
    return ContrastiveProjectionHead(16, 5, 16, n_patches=n_patches)


@pytest.mark.parametrize("n_patches", [4, None], ids=["course", "state"])
def test_a_projection_gives_unit_vectors_of_its_width(n_patches):
    found = projection(n_patches)(tokens(), torch.ones(2, 20, dtype=torch.bool))
    assert found.shape == (2, 16)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_a_projection_tells_moments_apart_that_share_their_average():
    head = projection(4)
    present = torch.ones(2, 20, dtype=torch.bool)
    shuffled = tokens()[:, torch.randperm(20, generator=torch.Generator().manual_seed(1))]
    similarity = (head(tokens(), present) * head(shuffled, present)).sum(dim=1)
    assert similarity.max() < 0.9


def test_a_projected_course_ignores_what_lasts_and_a_projected_state_ignores_order():
    present = torch.ones(2, 20, dtype=torch.bool)
    lasting = 3 * tokens(n_patches=1).unflatten(1, (5, 1)).expand(-1, -1, 4, -1).flatten(1, 2)
    course, state = projection(4), projection(None)
    torch.testing.assert_close(course(tokens() + lasting, present), course(tokens(), present))
    assert (state(tokens() + lasting, present) * state(tokens(), present)).sum(dim=1).max() < 0.99
    backwards = tokens().unflatten(1, (5, 4)).flip(2).flatten(1, 2)
    torch.testing.assert_close(state(backwards, present), state(tokens(), present))
    assert (course(backwards, present) * course(tokens(), present)).sum(dim=1).max() < 0.99


@pytest.mark.parametrize("n_patches", [4, None], ids=["course", "state"])
def test_absent_tokens_have_no_place_in_the_projection(n_patches):
    head = projection(n_patches)
    present = torch.ones(2, 20, dtype=torch.bool)
    present[:, 4:8] = False
    other = tokens()
    other[:, 4:8] = 99
    torch.testing.assert_close(head(tokens(), present), head(other, present))


def test_a_projected_course_of_another_length_is_refused():
    with pytest.raises(ValueError, match="4 patches are expected, got 3"):
        projection(4)(tokens(n_patches=3), torch.ones(2, 15, dtype=torch.bool))
