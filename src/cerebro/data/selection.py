"""Choosing rows of the window index; a choice that leaves nothing is an error that says why."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cerebro.data.spread import spread
from cerebro.errors import UserError


def read_index(path: Path, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read the window index, or some of its columns: a whole row takes four times what a training needs."""
    if not Path(path).exists():
        raise UserError(
            f"{path} does not exist; build it with: snakemake --cores 8 {path}, with the study's --configfile"
        )
    return pd.read_parquet(path, columns=None if columns is None else list(columns))


def shards_folder(index: Path) -> Path:
    """Folder of the shards that an index at ``<study>/windows/index.parquet`` points into."""
    return Path(index).parent.parent / "shards"


def select_windows(
    index: pd.DataFrame,
    *,
    kind: str | Sequence[str],
    splits: Sequence[str],
    purpose: str,
    datasets: Collection[str] | None = None,
    label: str | None = None,
    subjects: Collection[str] | None = None,
) -> pd.DataFrame:
    """Kept windows of some kinds in the given splits, row order preserved, with a fresh row number.

    Parameters
    ----------
    index : DataFrame
        The window index.
    kind : str or sequence of str
        ``fixed``, ``crop`` or the name of a label that has windows of its own.
    splits : sequence of str
        ``train``, ``validation``, ``test``.
    purpose : str
        What the windows are for, to name it in the error.
    datasets : collection of str, optional
        Datasets to take; all if not given.
    label : str, optional
        Column that must not be missing.
    subjects : collection of str, optional
        Subjects to take; all if not given.

    Raises
    ------
    UserError
        When no window is left: how many rows each filter left.
    """
    kinds = [kind] if isinstance(kind, str) else list(kind)
    filters = [(f"of kind {' or '.join(map(repr, kinds))}", index["kind"].isin(kinds))]
    if datasets is not None:
        filters.append((f"in datasets {sorted(datasets)}", index["dataset"].isin(list(datasets))))
    filters.append((f"in split {' or '.join(splits)}", index["split"].isin(list(splits))))
    filters.append(("that quality kept", index["keep"]))
    if label is not None:
        filters.append((f"with a known {label}", index[label].notna() & (index[label] != "")))
    if subjects is not None:
        filters.append((f"of the {len(subjects)} chosen subjects", index["subject"].isin(list(subjects))))
    chosen = pd.Series(True, index=index.index)
    trail = f"{len(index)} windows in the index"
    for name, mask in filters:
        chosen &= mask
        trail += f", {int(chosen.sum())} {name}"
    if not chosen.any():
        raise UserError(f"no window is left for {purpose}: {trail}")
    return index[chosen].reset_index(drop=True)


def evenly_per_subject(windows: pd.DataFrame, at_most: int) -> pd.DataFrame:
    """At most ``at_most`` rows of each subject, evenly spread over its own, with a fresh row number."""
    numbers = [rows[spread(len(rows), at_most)] for rows in windows.groupby("subject").indices.values()]
    chosen = windows.iloc[np.sort(np.concatenate(numbers))] if numbers else windows
    return chosen.reset_index(drop=True)
