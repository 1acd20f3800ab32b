"""Windows of memory-mapped shards as batches of tensors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cerebro.errors import UserError
from cerebro.shards.store import SFREQ, open_shard, read_table, read_window

Batch = dict[str, Tensor]


class WindowDataset(Dataset):
    """Batches of windows by their rows in a table.

    Indexing takes a list of rows and returns the whole batch, so that padding and label look-ups happen
    once per batch; :class:`cerebro.data.loading.BatchLoader` does so.

    Parameters
    ----------
    table : DataFrame
        Rows of the window index, numbered from 0; all of one length in samples.
    shards : Path
        Folder of the shards.
    labels : sequence of str
        Columns handed over with each batch; text columns as codes of their sorted values.

    Raises
    ------
    UserError
        When the table is empty, windows differ in length, or a shard has another rate than all have.
    """

    def __init__(self, table: pd.DataFrame, shards: Path, labels: Sequence[str] = ()) -> None:
        if table.empty:
            raise UserError(f"a dataset of no windows was asked for (shards in {shards})")
        if table["length"].nunique() > 1:
            raise UserError(
                f"windows of one batch must be equally long, found {set(table['length'])} samples"
            )
        self.table = table
        self.labels = {name: _as_tensor(table[name]) for name in labels}
        self.n_times = int(table["length"].iloc[0])
        self._shard, names = pd.factorize(table["shard"])
        self._signals = [open_shard(Path(shards) / f"{name}.npy") for name in names]
        tables = [read_table(Path(shards) / f"{name}.parquet") for name in names]
        for name, shard in zip(names, tables, strict=True):
            if shard.sfreq != SFREQ:
                raise UserError(
                    f"shard {name} in {shards} is at {shard.sfreq:g} Hz, not at {SFREQ:g}; remove it and run "
                    "again"
                )
        self._positions = [shard.positions for shard in tables]
        self._start = table["start"].to_numpy(np.int64)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, rows: Sequence[int]) -> Batch:
        """Read the windows of the given rows.

        Returns
        -------
        dict
            ``signal`` (batch, n_chans, n_times) in µV, ``positions`` (batch, n_chans, 3), ``row`` (batch,),
            and each label (batch,). Montages of fewer channels are padded with zeros, which the models'
            front end takes for absent.
        """
        chosen = np.asarray(rows)
        return self._read(chosen, self._start[chosen])

    def _read(self, chosen: np.ndarray, starts: np.ndarray) -> Batch:
        shards = self._shard[chosen]
        n_chans = max(len(self._positions[shard]) for shard in shards)
        signal = np.zeros((len(chosen), n_chans, self.n_times), np.float32)
        positions = np.zeros((len(chosen), n_chans, 3), np.float32)
        for i, (shard, start) in enumerate(zip(shards, starts, strict=True)):
            present = len(self._positions[shard])
            signal[i, :present] = read_window(self._signals[shard], int(start), self.n_times)
            positions[i, :present] = self._positions[shard]
        batch = {
            "signal": torch.from_numpy(signal),
            "positions": torch.from_numpy(positions),
            "row": torch.from_numpy(chosen),
        }
        return batch | {name: values[chosen] for name, values in self.labels.items()}


def _as_tensor(column: pd.Series) -> Tensor:
    if pd.api.types.is_numeric_dtype(column):
        return torch.from_numpy(column.to_numpy(np.float32, copy=True))
    return torch.from_numpy(pd.factorize(column, sort=True)[0].astype(np.int64))
