"""The decoder of masked modelling: what stands at hidden places, from the tokens that were visible."""

import torch
from torch import Tensor, nn

from cerebro.models.masking import choose, take
from cerebro.models.positions import TokenPlaces
from cerebro.models.transformer import CrossAttentionBlock


class MaskedDecoder(nn.Module):
    """Each hidden place asks the visible tokens, on its own, and predicts its target.

    A light decoder leaves the encoder to encode: tokens that were hidden never pass through it (He et al.
    2022), and hidden places need not see each other (Fu et al. 2024, CrossMAE). Attention falls off with
    distance in space and in time, by learned widths: it starts as a local interpolation. Without that,
    hundreds of steps passed before a hidden place found its neighbours, and until then nothing was learned.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
    patch_seconds : float
        Distance between patches.
    dim, heads : int
        Width of the encoder's tokens; attention heads.
    n_outputs : int
        Values predicted for each hidden token.
    """

    WIDTHS = (0.3, 0.3)
    """Initial widths of attention: a chord of half the distance between 10-20 electrodes, and seconds."""

    def __init__(self, layout: Tensor, patch_seconds: float, *, dim: int, heads: int, n_outputs: int) -> None:
        super().__init__()
        self.places = TokenPlaces(layout, patch_seconds, dim)
        self.mask_token = nn.Parameter(torch.zeros(dim))
        self.log_widths = nn.Parameter(torch.tensor(self.WIDTHS).log())
        self.block = CrossAttentionBlock(dim, heads)
        self.norm = nn.LayerNorm(dim)
        self.output = nn.Linear(dim, n_outputs)

    def forward(self, tokens: Tensor, present: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predict hidden tokens.

        Parameters
        ----------
        tokens : Tensor, shape (batch, n_tokens, dim)
            Of an encoder that did not see the hidden ones.
        present : Tensor of bool, shape (batch, n_tokens)
            Tokens of present channels.
        hidden : Tensor of bool, shape (batch, n_tokens)
            Tokens to predict.

        Returns
        -------
        prediction : Tensor, shape (batch, n_hidden, n_outputs)
        places : Tensor of int64, shape (batch, n_hidden)
            Which token each prediction is for.
        valid : Tensor of bool, shape (batch, n_hidden)
            False where a window has fewer hidden tokens than others.
        """
        n_patches = tokens.shape[1] // len(self.places.layout)
        asked, valid = choose(hidden)
        seen, attended = choose(present & ~hidden)
        queries = (self.mask_token + self.places(n_patches)).expand(len(tokens), -1, -1)
        squared = self.places.squared_distances(n_patches)[asked.unsqueeze(2), seen.unsqueeze(1)]
        bias = -(squared / (2 * (2 * self.log_widths).exp())).sum(dim=-1)
        attended = attended | ~attended.any(dim=1, keepdim=True)  # attention to nothing is undefined
        bias = bias.masked_fill(~attended.unsqueeze(1), -torch.inf)
        answers = self.block(take(queries, asked), take(tokens, seen), bias)
        return self.output(self.norm(answers)), asked, valid
