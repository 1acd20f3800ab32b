"""Log band power of windows at the electrodes of the 10-20 system: what classical analysis makes of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.signal import periodogram

from cerebro.data.windows import WindowDataset
from cerebro.models.front_end import SCALE_UV, FrontEnd
from cerebro.models.interpolation_adapter import InterpolationChannelAdapter
from cerebro.recordings.montages import layout_positions
from cerebro.shards.store import SFREQ

BANDS_HZ = ((1, 4), (4, 8), (8, 13), (13, 30), (30, 45))
"""Delta, theta, alpha, beta and low gamma."""
LEAST_POWER = 1e-4
"""Added to power (µV²/Hz) before its logarithm: far below any EEG, so that a window without a single good
channel has finite features."""
BATCH_SIZE = 256
"""Windows read at a time; no effect on the features."""

Windows = NDArray[np.float32]


def band_power(rows: pd.DataFrame, shards: Path) -> NDArray[np.float64]:
    """Log band power of windows, shape (n, 21 * n_bands), as :func:`log_band_power` has it.

    Parameters
    ----------
    rows : DataFrame, n rows, at least one
        Rows of the window index, numbered from 0.
    shards : Path
        Folder of the shards.
    """
    return np.concatenate([log_band_power(part) for part in read_ten_twenty(rows, shards)])


def read_ten_twenty(rows: pd.DataFrame, shards: Path) -> Iterator[Windows]:
    """Read windows on the 21 electrodes of the 10-20 system, average reference, in µV.

    A place without an electrode borrows the signal of the nearest place that has one.

    Parameters
    ----------
    rows : DataFrame
        Rows of the window index, numbered from 0.
    shards : Path

    Yields
    ------
    array, shape (up to BATCH_SIZE, 21, n_times)
    """
    dataset, front_end = WindowDataset(rows, shards), FrontEnd()
    adapter = InterpolationChannelAdapter(torch.from_numpy(layout_positions("ten_twenty")))
    for first in range(0, len(rows), BATCH_SIZE):
        batch = dataset[range(first, min(first + BATCH_SIZE, len(rows)))]
        with torch.inference_mode():
            signal, present = front_end(batch["signal"], batch["positions"])
            mapped, found = adapter(signal, batch["positions"], present)
            places = (adapter.layout @ adapter.layout.T).masked_fill(~found.unsqueeze(1), -2).argmax(dim=2)
            mapped = mapped.gather(1, places.unsqueeze(2).expand_as(mapped))
        yield (SCALE_UV * mapped).numpy()


def log_band_power(signal: Windows) -> NDArray[np.float64]:
    """Natural logarithm of the power in each band and channel.

    Parameters
    ----------
    signal : array, shape (n, n_chans, n_times)
        µV.

    Returns
    -------
    array, shape (n, n_chans * n_bands)
        Of the mean spectral density (µV²/Hz) over the band's bins, low edge included; Hann taper.
    """
    frequencies, power = periodogram(signal, SFREQ, window="hann", detrend="constant", axis=-1)
    bands = [power[..., (frequencies >= low) & (frequencies < high)].mean(axis=-1) for low, high in BANDS_HZ]
    return np.log(np.stack(bands, axis=-1) + LEAST_POWER).reshape(len(signal), -1).astype(np.float64)
