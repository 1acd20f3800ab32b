"""The encoder: windows of any montage in, one token per layout channel and patch of time out.

After LaBraM (Jiang et al. 2024, ICLR) in its sound form: every token is normalised on its own, so masked
content and absent channels cannot reach visible tokens through shared statistics; hidden tokens are left out
before attention mixes tokens, and cost nothing (He et al. 2022, CVPR: masked autoencoders); amplitude is an
input of its own instead of an accident of the unit. The channel adapter mixes electrodes within a token's own
cell only, so that a hidden token hides the electrodes behind it.
"""

from typing import Any

import torch
from torch import Tensor, nn

from cerebro.models.channel_adapter import ADAPTERS
from cerebro.models.front_end import FrontEnd
from cerebro.models.masking import choose, put_back, take
from cerebro.models.positions import TokenPlaces
from cerebro.models.token_encoder import TokenEncoder
from cerebro.models.transformer import TransformerBlock

BAND_EDGES = (0, 2, 4, 6, 8, 10, 13, 16, 20, 25, 30, 40, 51)
"""Edges (Hz) of the bands whose power a patch is described by: the clinical bands, each in two or three.
Bands narrower than the patch's resolution are left out."""

PLACES_SCALE = 0.2
"""Scale of the embedded positions at the start: with 1 they hold 83 to 86 % of the tokens' variance and
content begins as noise on them, with 0.2 they hold a sixth."""


class PatchEmbedding(nn.Module):
    """Embed each patch from its normalised waveform, its power in bands, its level and its offset.

    Waveform and spectrum side by side follow CBraMod (Wang et al. 2025, ICLR). Power is taken in bands and
    in absolute units: single bins of a short patch are mostly noise, and a share of the total would move
    with every slow wave. Statistics never cross a token's border.
    """

    bands: Tensor

    def __init__(self, patch_samples: int, sfreq: float, dim: int) -> None:
        super().__init__()
        frequencies = torch.fft.rfftfreq(patch_samples, 1 / sfreq)
        edges = torch.tensor(BAND_EDGES)
        inside = (frequencies >= edges[:-1, None]) & (frequencies < edges[1:, None])
        inside = inside[inside.any(dim=1)].float()
        self.register_buffer("bands", (inside / inside.sum(dim=1, keepdim=True)).T, persistent=False)
        n_features = patch_samples + len(inside) + 2
        self.layers = nn.Sequential(nn.Linear(n_features, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, patches: Tensor) -> Tensor:
        """Embed patches of shape (..., patch_samples) as (..., dim)."""
        mean = patches.mean(dim=-1, keepdim=True)
        deviation = patches - mean
        # The standard deviation; its own function is ten times slower on a CPU.
        level = torch.linalg.vector_norm(deviation, dim=-1, keepdim=True) / (patches.shape[-1] - 1) ** 0.5
        level = level + 1e-3
        power = torch.fft.rfft(deviation.float(), norm="ortho").abs().square() @ self.bands
        return self.layers(torch.cat((deviation / level, (power + 1e-3).log(), level.log(), mean), dim=-1))


class Encoder(TokenEncoder):
    """Transformer over patches of channels, whatever montage the window was recorded with.

    Parameters
    ----------
    layout : Tensor, shape (n_layout, 3)
        Positions of the encoder's own channels on the unit sphere.
    adapter : {'perceiver', 'interpolation', 'zero_pad'}
        What maps a montage onto the layout.
    patch_samples : int
        Samples of one channel in a token.
    sfreq : float
        Sampling rate in Hz that windows must have.
    dim, depth, heads, dropout
        Width, blocks, attention heads and dropout of the transformer.
    reference : {'average', 'linked_ears', 'recorded'}
        See :class:`~cerebro.models.front_end.FrontEnd`.
    """

    def __init__(
        self,
        *,
        layout: Tensor,
        adapter: str,
        patch_samples: int,
        sfreq: float,
        dim: int,
        depth: int,
        heads: int,
        dropout: float = 0.0,
        reference: str = "average",
    ) -> None:
        super().__init__()
        self.architecture: dict[str, Any] = {
            "layout": layout.tolist(),
            "adapter": adapter,
            "patch_samples": patch_samples,
            "sfreq": sfreq,
            "dim": dim,
            "depth": depth,
            "heads": heads,
            "dropout": dropout,
            "reference": reference,
        }
        self.dim = dim
        self.heads = heads
        self.n_channels = len(layout)
        self.patch_samples = patch_samples
        self.sfreq = sfreq
        self.front_end = FrontEnd(reference)
        self.adapter = ADAPTERS[adapter](layout)
        self.patch_embedding = PatchEmbedding(patch_samples, sfreq, dim)
        self.places = TokenPlaces(layout, patch_samples / sfreq, dim, scale=PLACES_SCALE)
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def n_patches(self, n_times: int) -> int:
        """Whole patches in a window of ``n_times`` samples; fewer than one raises ``ValueError``."""
        if n_times < self.patch_samples:
            raise ValueError(f"a window of {n_times} samples is shorter than a patch ({self.patch_samples})")
        return n_times // self.patch_samples

    def encode(
        self, signal: Tensor, positions: Tensor, masked: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tokens, as :meth:`forward`, and which of them stand for a present channel, (batch, n_tokens)."""
        tokens, present = self._embed(signal, positions)
        if masked is None:
            return self._transform(tokens, present), present
        views = len(masked) // len(tokens)
        tokens, present = tokens.repeat(views, 1, 1), present.repeat(views, 1)
        places, valid = choose(present & ~masked)
        kept = self._transform(take(tokens, places), valid)
        return put_back(kept, places, valid, tokens.shape[1]), present

    def _embed(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens before attention, and which of them stand for a present channel."""
        referenced, present = self.front_end(signal, positions)
        adapted, present = self.adapter(referenced, positions, present)
        n_patches = self.n_patches(signal.shape[-1])
        patches = adapted[..., : n_patches * self.patch_samples].unflatten(-1, (n_patches, -1))
        tokens = self.patch_embedding(patches).flatten(1, 2) + self.places(n_patches)
        return tokens, present.repeat_interleave(n_patches, dim=1)

    def _transform(self, tokens: Tensor, present: Tensor) -> Tensor:
        # A window without any channel would make attention undefined: then its tokens see each other.
        attended = present | ~present.any(dim=1, keepdim=True)
        for block in self.blocks:
            tokens = block(tokens, attended)
        return self.norm(tokens)


def build_encoder(architecture: dict[str, Any]) -> TokenEncoder:
    """Build an encoder with random weights from its ``architecture``, as kept in ``card.json``."""
    if "braindecode" in architecture:
        from cerebro.models.braindecode_encoder import build_braindecode_encoder

        return build_braindecode_encoder(architecture)
    return Encoder(**{**architecture, "layout": torch.tensor(architecture["layout"])})
