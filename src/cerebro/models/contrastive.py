"""An encoder with one contrastive projection per source of pairs."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cerebro.models.heads import ContrastiveProjectionHead
from cerebro.models.token_encoder import TokenEncoder


class ContrastiveModel(nn.Module):
    """An encoder and the projections in which similarity is measured.

    Parameters
    ----------
    encoder : TokenEncoder
    n_times : int
        Samples of every window.
    courses : mapping of str to bool
        Sources of pairs, and whether what they share has a course within the window (or lasts all through).
    projection_dim : int
        Width of each projection.
    """

    def __init__(
        self, encoder: TokenEncoder, *, n_times: int, courses: Mapping[str, bool], projection_dim: int
    ) -> None:
        super().__init__()
        self.architecture: dict[str, Any] = {
            "n_times": n_times,
            "courses": dict(courses),
            "projection_dim": projection_dim,
        }
        self.encoder = encoder
        self.projections = nn.ModuleDict(
            {
                name: ContrastiveProjectionHead(
                    encoder.dim,
                    encoder.n_channels,
                    projection_dim,
                    n_patches=encoder.course_patches(n_times) if course else None,
                )
                for name, course in courses.items()
            }
        )

    def forward(self, signal: Tensor, positions: Tensor) -> dict[str, Tensor]:
        """Unit vectors (batch, width) of windows by source, see :meth:`TokenEncoder.forward`.

        Every source's projection sees every window: under DDP a rank may hold none of a source, and weights
        without a gradient would stop it.
        """
        tokens, present = self.encoder.encode(signal, positions)
        return {name: head(tokens, present) for name, head in self.projections.items()}
