"""Frozen features: what an encoder makes of windows when nothing is trained any more."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from cerebro.data.windows import WindowDataset
from cerebro.models.encoder import Encoder

BATCH_SIZE = 64
"""Windows per forward pass; no effect on the features."""


def extract_features(encoder: Encoder, windows: pd.DataFrame, *, shards: Path) -> NDArray[np.float32]:
    """Pooled features of windows.

    Parameters
    ----------
    encoder : Encoder
        In evaluation mode; moved to a GPU where there is one.
    windows : DataFrame, n rows
        Rows of the window index, numbered from 0.
    shards : Path
        Folder of the shards.

    Returns
    -------
    array, shape (n, dim)
        In the order of ``windows``.

    Raises
    ------
    ValueError
        When the encoder is in training mode or returns NaN or infinity.
    """
    if encoder.training:
        raise ValueError("the encoder is in training mode: dropout would blur its features")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder = encoder.to(device)
    dataset = WindowDataset(windows, shards)
    features = np.empty((len(windows), encoder.dim), np.float32)
    with torch.inference_mode():
        for first in range(0, len(windows), BATCH_SIZE):
            rows = range(first, min(first + BATCH_SIZE, len(windows)))
            batch = dataset[rows]
            pooled = encoder.features(batch["signal"].to(device), batch["positions"].to(device))
            features[rows] = pooled.float().cpu().numpy()
    if not np.isfinite(features).all():
        raise ValueError("the encoder returned features that are not finite")
    return features
