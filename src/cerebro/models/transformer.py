"""Plain pre-norm transformer blocks on scaled dot-product attention."""

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
        self.feed_forward = _feed_forward(dim, dropout)

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> Tensor:
        """Transform tokens (batch, n_tokens, dim); those where ``present`` is False are never attended to."""
        query, key, value = self.query_key_value(self.attention_norm(tokens)).chunk(3, dim=-1)
        dropout = self.dropout if self.training else 0.0
        mask = None if present is None else present[:, None, None, :]
        mixed = self.attention_output(_attention(query, key, value, self.heads, mask, dropout))
        tokens = tokens + F.dropout(mixed, dropout)
        return tokens + self.feed_forward(tokens)


class CrossAttentionBlock(nn.Module):
    """Queries attend to other tokens and pass a feed-forward layer; they do not see each other.

    Parameters
    ----------
    dim : int
        Width of a token.
    heads : int
        Attention heads; divides ``dim``.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.attention_output = nn.Linear(dim, dim)
        self.feed_forward = _feed_forward(dim, 0.0)

    def forward(self, queries: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Answer queries (batch, n_queries, dim) from tokens (batch, n_tokens, dim).

        ``bias`` (batch, n_queries, n_tokens) is added to the attention's logits: minus infinity forbids.
        """
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        query = self.query(self.query_norm(queries))
        mixed = _attention(query, key, value, self.heads, bias.to(query.dtype).unsqueeze(1), 0.0)
        queries = queries + self.attention_output(mixed)
        return queries + self.feed_forward(queries)


def _attention(
    query: Tensor, key: Tensor, value: Tensor, heads: int, mask: Tensor | None, dropout: float
) -> Tensor:
    """Attention of all heads on (batch, n, dim); the mask broadcasts to (batch, heads, n, n_keys)."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    return mixed.transpose(1, 2).flatten(2)


def _feed_forward(dim: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, 4 * dim),
        nn.GELU(),
        nn.Linear(4 * dim, dim),
        nn.Dropout(dropout),
    )
