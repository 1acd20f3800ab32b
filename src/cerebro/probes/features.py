"""Frozen features: what an encoder makes of windows when nothing is trained any more, or their spectrum."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from torch import Tensor, nn

from cerebro.config import AnyLabel, MomentLabel, read_architecture
from cerebro.data.card import load_checkpoint, load_encoder, random_encoder, read_card
from cerebro.data.selection import read_index, shards_folder
from cerebro.data.windows import WindowDataset
from cerebro.errors import UserError
from cerebro.files import digest_file
from cerebro.models.token_encoder import TokenEncoder
from cerebro.probes.band_power import band_power
from cerebro.probes.covariance import tangent_features
from cerebro.probes.feature_store import Features, write_features
from cerebro.probes.window_sets import probed_windows

BATCH_SIZE = 64
"""Windows per forward pass; no effect on the features."""
Describe = Callable[[pd.DataFrame], NDArray[np.floating]]
CLASSICAL: Mapping[str, Callable[[pd.DataFrame, Path], Describe]] = {
    "signal": lambda index, shards: lambda rows: band_power(rows, shards),
    "covariance": tangent_features,
}
"""What is measured without any encoder, by name: takes index and shards, gives what describes rows of it."""


def run_features(
    node: str,
    settings: dict[str, Any],
    *,
    encoder: Path | None,
    index: Path,
    output: Path,
    checkpoint: int | None = None,
) -> None:
    """Write the features that all probes of one encoder share.

    Parameters
    ----------
    node : str
        The phase's name, ``random``, or a name of :data:`CLASSICAL` for no encoder; of a checkpoint within a
        phase ``<phase>@<number>``.
    settings : dict
        ``{"sets": [...], "labels": ..., "max_windows_per_subject": int, "encoder": ..., "seed": int}``;
        labels are those of the sets; the last two build the untrained encoder and are read only where
        ``encoder`` is None. Where neither names an encoder, the features are those of :data:`CLASSICAL`.
    encoder : Path, optional
        The phase's folder.
    index : Path
        The window index.
    output : Path
        See :mod:`cerebro.probes.feature_store`.
    checkpoint : int, optional
        Which checkpoint within the phase; none is the phase's encoder.

    Raises
    ------
    UserError
        When windows of a set are of several lengths, or of one that the encoder cannot take.
    """
    table, shards = read_index(index), shards_folder(index)
    labels = TypeAdapter(dict[str, AnyLabel]).validate_python(settings["labels"])
    windows = probed_windows(
        table,
        settings["sets"],
        stimuli=[name for name, label in labels.items() if isinstance(label, MomentLabel)],
        at_most=settings["max_windows_per_subject"],
    )
    origin: dict[str, Any] = {"node": node, "lineage": [], "index": digest_file(index)}
    if encoder is None and "encoder" not in settings:
        describe = CLASSICAL[node](table, shards)
        write_features(output, origin, described(windows, describe))
        return
    if encoder is None:
        model = random_encoder(read_architecture(settings["encoder"]), settings["seed"]).eval()
    else:
        card = read_card(encoder)
        lineage = card["lineage"]
        if checkpoint is None:
            model = load_encoder(encoder)
        else:
            model, lineage = load_checkpoint(encoder, checkpoint), [*lineage[:-1], node]
        origin |= {"lineage": lineage, "encoder": str(encoder)}
    _require_lengths(node, model, windows)
    write_features(
        output, origin, described(windows, lambda rows: extract_features(model, rows, shards=shards))
    )


def _require_lengths(node: str, encoder: TokenEncoder, windows: Mapping[str, pd.DataFrame]) -> None:
    """Refuse windows of a length that an encoder cannot take, naming the label whose they are."""
    for name, rows in windows.items():
        try:
            for length in rows["length"].unique():
                encoder.n_patches(int(length))
        except ValueError as error:
            raise UserError(
                f"'{node}' cannot be probed on windows of kind '{name}': {error}; name the probes to keep in "
                "probes.targets"
            ) from None


def described(
    windows: Mapping[Any, pd.DataFrame], describe: Callable[[pd.DataFrame], NDArray[np.floating]]
) -> dict[str, Features]:
    """Features of sets of windows, by set; those of an empty set have no width.

    Parameters
    ----------
    windows : mapping of str to DataFrame
        Rows of the window index by set, numbered from 0.
    describe : callable
        Takes such rows, n of them, returns features (n, width).
    """
    return {
        name: Features(
            rows["window"].to_numpy(np.int64),
            describe(rows).astype(np.float32) if len(rows) else np.empty((0, 0), np.float32),
        )
        for name, rows in windows.items()
    }


def extract_features(encoder: TokenEncoder, windows: pd.DataFrame, *, shards: Path) -> NDArray[np.float32]:
    """Mean and standard deviation of the present tokens, shape (n, 2 * dim).

    A blink, a burst of alpha or a response is in some tokens of a window and not in others: what tells such
    windows apart is the spread over tokens as much as their mean (docs/probes.md has the numbers). Statistics
    pooling as in x-vectors (Snyder et al. 2018, ICASSP). Parameters and errors of :func:`extract`.
    """
    return extract(encoder, lambda *window: mean_and_deviation(encoder, *window), windows, shards=shards)


def mean_and_deviation(encoder: TokenEncoder, signal: Tensor, positions: Tensor) -> Tensor:
    """Mean and (population) standard deviation of the present tokens of each window, (batch, 2 * dim)."""
    tokens, present = encoder.encode(signal, positions)
    tokens = tokens.float()
    weight = present.float().unsqueeze(-1)
    count = weight.sum(dim=1).clamp(min=1)
    mean = (tokens * weight).sum(dim=1) / count
    variance = ((tokens - mean.unsqueeze(1)).square() * weight).sum(dim=1) / count
    return torch.cat((mean, variance.sqrt()), dim=1)


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
