import pytest
import torch

from cerebro.models.heads import ContrastiveProjectionHead


def tokens(n_layout: int = 5, n_patches: int = 4) -> torch.Tensor:
    return torch.randn(2, n_layout * n_patches, 16, generator=torch.Generator().manual_seed(0))


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
