"""The neural tokenizer of Phase 1a: an encoder whose tokens pass through a codebook to predict spectra."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cerebro.models.encoder import build_encoder
from cerebro.models.measured import MeasuredPatches
from cerebro.models.quantizer import VectorQuantizer
from cerebro.models.token_encoder import TokenEncoder
from cerebro.models.transformer import TransformerBlock


class NeuralTokenizer(nn.Module):
    """Encode, quantise, and predict every patch's amplitude and phase spectrum from its code.

    Parameters
    ----------
    encoder : TokenEncoder
    n_codes, code_dim : int
        Size of the codebook and width of a code.
    decay : float
        Decay of the codebook's moving averages.

    References
    ----------
    Jiang et al. (2024), Large brain model for learning generic representations (LaBraM), ICLR: vector
    quantised neural spectrum prediction.
    """

    def __init__(self, encoder: TokenEncoder, *, n_codes: int, code_dim: int, decay: float = 0.99) -> None:
        super().__init__()
        self.architecture: dict[str, Any] = {
            "encoder": encoder.architecture,
            "n_codes": n_codes,
            "code_dim": code_dim,
            "decay": decay,
        }
        self.encoder = encoder
        self.measured = MeasuredPatches(
            encoder.adapter.layout, encoder.patch_samples, encoder.architecture["reference"]
        )
        self.to_code = nn.Sequential(
            nn.Linear(encoder.dim, encoder.dim), nn.Tanh(), nn.Linear(encoder.dim, code_dim)
        )
        self.quantizer = VectorQuantizer(n_codes, code_dim, decay)
        self.from_code = nn.Linear(code_dim, encoder.dim)
        self.decoder = TransformerBlock(encoder.dim, encoder.heads)
        n_bins = encoder.patch_samples // 2 + 1
        self.spectrum = nn.Linear(encoder.dim, 3 * n_bins)

    def forward(self, signal: Tensor, positions: Tensor, *, quantise: bool = True) -> dict[str, Tensor]:
        """Predict the spectra of a batch, without the codebook in between where not ``quantise``.

        Returns
        -------
        dict
            ``prediction`` (batch, n_tokens, 3, n_bins): log amplitude, sine and cosine of phase;
            ``patches`` (batch, n_tokens, patch_samples): what the nearest electrodes really measured, in
            units of the front end; ``present`` (batch, n_tokens): where there was such an electrode;
            ``codes`` (batch, n_tokens); ``commitment`` (scalar).
        """
        tokens, attended = self.encoder.encode(signal, positions)
        vectors = self.to_code(tokens).flatten(0, 1)
        patches, present = self.measured(signal, positions)
        passed = F.normalize(vectors.float(), dim=-1)
        codes = torch.zeros(len(vectors), dtype=torch.long, device=vectors.device)
        commitment = passed.new_zeros(())
        if quantise:
            real = present.flatten()  # only tokens with a measured target move the codebook
            quantised, codes[real], commitment = self.quantizer(vectors[real])
            passed = torch.zeros_like(passed).index_put((real,), quantised)
        attended = attended | ~attended.any(dim=1, keepdim=True)  # attention to nothing is undefined
        decoded = self.decoder(self.from_code(passed).view_as(tokens), attended)
        return {
            "prediction": self.spectrum(decoded).unflatten(-1, (3, -1)),
            "patches": patches,
            "present": present,
            "codes": codes.view(tokens.shape[:2]),
            "commitment": commitment,
        }

    @torch.no_grad()
    def vectors(self, signal: Tensor, positions: Tensor) -> Tensor:
        """What would be quantised of tokens with a measured electrode behind them, shape (n, code_dim)."""
        vectors = self.to_code(self.encoder(signal, positions))
        return vectors[self.measured(signal, positions)[1]]

    @torch.no_grad()
    def tokenize(self, signal: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (batch, n_tokens) of every token and which have a measured electrode behind them."""
        vectors = F.normalize(self.to_code(self.encoder(signal, positions)).float(), dim=-1)
        codes = self.quantizer.nearest(vectors.flatten(0, 1)).view(vectors.shape[:2])
        return codes, self.measured(signal, positions)[1]


def build_tokenizer(architecture: dict[str, Any]) -> NeuralTokenizer:
    """Build a tokenizer with random weights from its ``architecture``, as kept in ``card.json``."""
    encoder = build_encoder(architecture["encoder"])
    return NeuralTokenizer(encoder, **{k: v for k, v in architecture.items() if k != "encoder"})
