"""Where a token is must not drown what it holds."""

import pytest
import torch

from cerebro.config import EncoderSettings
from cerebro.data.card import random_encoder

SIZES = [{}, {"layout": "hbn_128", "dim": 256, "depth": 1, "heads": 8}]


@pytest.mark.parametrize("settings", SIZES)
def test_training_starts_with_tokens_that_are_mostly_content(settings):
    """Positions held five sixths of the variance of the tokens that enter the first block."""
    for seed in range(3):
        encoder = random_encoder(EncoderSettings(**settings), seed).eval()
        generator = torch.Generator().manual_seed(seed)
        signal = 15 * torch.randn(16, encoder.n_channels, 200, generator=generator)
        signal = signal.cumsum(dim=-1) * 0.1 + signal  # falls with frequency, as EEG does
        positions = encoder.adapter.layout.expand(16, -1, -1)
        with torch.no_grad():
            tokens, _ = encoder._embed(signal, positions)
            places = encoder.places(encoder.n_patches(200))
        share = float(places.var(dim=0).sum() / tokens.var(dim=(0, 1)).sum())
        print(seed, settings, round(share, 3))
        assert 0.05 < share < 0.3
