"""Frozen features: what an encoder makes of windows when nothing is trained any more."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cerebro.data.windows import WindowDataset
from cerebro.models.token_encoder import TokenEncoder

BATCH_SIZE = 64
"""Windows per forward pass; no effect on the features."""


def extract_features(encoder: TokenEncoder, windows: pd.DataFrame, *, shards: Path) -> NDArray[np.float32]:
    """Pooled features of windows, shape (n, dim); parameters and errors of :func:`extract`."""
    return extract(encoder, encoder.features, windows, shards=shards)


def extract(
    model: nn.Module,
    read: Callable[[Tensor, Tensor], Tensor],
    windows: pd.DataFrame,
    *,
    shards: Path,
) -> NDArray[np.float32]:
    """What a frozen model makes of windows.

    Parameters
    ----------
    model : Module
        In evaluation mode; moved to a GPU where there is one.
    read : callable
        Takes a signal (batch, n_chans, n_times) in µV and positions (batch, n_chans, 3), returns a tensor
        (batch, ...), by means of the model.
    windows : DataFrame, n rows, at least one
        Rows of the window index, numbered from 0.
    shards : Path
        Folder of the shards.

    Returns
    -------
    array, shape (n, width)
        In the order of ``windows``; flattened but for the first axis.

    Raises
    ------
    ValueError
        When the model is in training mode or returns NaN or infinity.
    """
    if model.training:
        raise ValueError(f"{type(model).__name__} is in training mode: dropout would blur its features")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    dataset = WindowDataset(windows, shards)
    features: NDArray[np.float32] | None = None
    with torch.inference_mode():
        for first in range(0, len(windows), BATCH_SIZE):
            rows = range(first, min(first + BATCH_SIZE, len(windows)))
            batch = dataset[rows]
            found = read(batch["signal"].to(device), batch["positions"].to(device)).flatten(1)
            if features is None:
                features = np.empty((len(windows), found.shape[1]), np.float32)
            features[rows] = found.float().cpu().numpy()
    if features is None or not np.isfinite(features).all():
        raise ValueError("the encoder returned features that are not finite")
    return features
