"""A plain pre-norm transformer block on scaled dot-product attention."""

import torch.nn.functional as F
from torch import Tensor, nn


class TransformerBlock(nn.Module):
    """Self-attention and a feed-forward layer, each behind a LayerNorm and a residual.

    Parameters
    ----------
    dim : int
        Width of a token.
    heads : int
        Attention heads; divides ``dim``.
    dropout : float
        Dropout of attention weights and of both residual branches during training.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.attention_norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * dim)
        self.attention_output = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            nn.Dropout(dropout),
        )

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Transform tokens (batch, n_tokens, dim); those where ``present`` is False are never attended to."""
        batch, n_tokens, dim = tokens.shape
        packed = self.query_key_value(self.attention_norm(tokens))
        query, key, value = packed.view(batch, n_tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mask = None if present is None else present[:, None, None, :]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        mixed = self.attention_output(mixed.transpose(1, 2).reshape(batch, n_tokens, dim))
        tokens = tokens + F.dropout(mixed, dropout)
        return tokens + self.feed_forward(tokens)
