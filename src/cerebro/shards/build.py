"""Preprocess one group of subjects into one shard, one recording at a time."""

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.progress import track

from cerebro.config import Preprocessing
from cerebro.files import atomic_path, digest_file
from cerebro.recordings.montages import canonical_order
from cerebro.recordings.signals import open_raw
from cerebro.shards.preprocess import preprocess
from cerebro.shards.quality import mains_power, recording_quality
from cerebro.shards.store import ShardWriter, quantise, write_table

SCHEMA = pa.schema(
    {
        "recording": pa.string(),
        "dataset": pa.string(),
        "release": pa.string(),
        "subject": pa.string(),
        "task": pa.string(),
        "run": pa.string(),
        "offset": pa.int64(),
        "length": pa.int64(),
        "filtered": pa.bool_(),
        "channels": pa.string(),
        "status": pa.string(),
        "reason": pa.string(),
        "flat_channels": pa.float64(),
        "noisy_channels": pa.float64(),
        "amplitude": pa.float64(),
        "line_noise": pa.float64(),
        "clipped": pa.int64(),
        "source_digest": pa.string(),
    }
)
"""Columns of a shard's table: offset and length in samples, channels as a JSON list of those that the file
has, quality as in :class:`cerebro.shards.quality.RecordingQuality`, the raw file's digest."""


def build_shard(settings: Preprocessing, *, inventory: Path, group: str, output: Path, table: Path) -> None:
    """Write the signals of a group and the table beside them.

    All recordings of a shard share one list of channels, the union over the group; a channel that a
    recording doesn't have is zero throughout. A recording that can't be read stays in the table, with status
    ``quarantined``, its reason and length 0. A group without recordings writes an empty shard.

    Parameters
    ----------
    settings
        Band in Hz, sampling rate in Hz.
    inventory
        The inventory of all recordings.
    group
        Which group (column ``group`` of the inventory).
    output, table
        The ``.npy`` and the ``.parquet`` to write.
    """
    rows = pd.read_parquet(inventory)
    rows = rows[(rows["group"] == group) & (rows["status"] == "ok")]
    own_channels = [json.loads(names) for names in rows["channels"]]
    channels = canonical_order(name for names in own_channels for name in names)
    written: list[dict[str, Any]] = []
    with atomic_path(output) as temporary, ShardWriter(temporary, n_chans=len(channels)) as shard:
        for row in track(
            rows.to_dict(orient="records"),
            description=f"shard {group}",
            transient=True,
            disable=not sys.stdout.isatty(),
        ):
            entry = {name: row[name] for name in SCHEMA.names if name in row} | {"offset": shard.n_times}
            try:
                samples, facts = _read(row, settings, channels)
            except MemoryError:
                raise
            except Exception as error:
                # Broken files make MNE raise anything at all; one bad file must cost one file, named.
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                written.append(entry | _nothing() | {"status": "quarantined", "reason": reason})
                continue
            shard.append(samples)
            written.append(entry | facts | {"length": len(samples)})
    write_table(table, pa.Table.from_pylist(written, schema=SCHEMA), channels=channels, sfreq=settings.sfreq)
    failed = sum(entry["status"] == "quarantined" for entry in written)
    seconds = sum(entry["length"] for entry in written) / settings.sfreq
    print(
        f"shard {group}: {len(written) - failed} recordings, {seconds / 3600:.2f} h, "
        f"{len(channels)} channels; "
        f"{failed} quarantined, {sum(entry['clipped'] for entry in written)} samples clipped"
    )


def _read(
    row: dict[str, Any], settings: Preprocessing, channels: list[str]
) -> tuple[np.ndarray, dict[str, Any]]:
    path = Path(row["path"])
    raw = open_raw(path)
    signal = preprocess(raw, settings, filtered=row["filtered"])
    steps, clipped = quantise(signal)
    quality = recording_quality(signal, line_noise=mains_power(raw), clipped=clipped)
    column = {name: index for index, name in enumerate(channels)}
    samples = np.zeros((signal.shape[1], len(channels)), dtype=np.int16)
    samples[:, [column[name] for name in raw.ch_names]] = steps.T
    facts = {**asdict(quality), "channels": json.dumps(raw.ch_names), "source_digest": digest_file(path)}
    return samples, facts


def _nothing() -> dict[str, Any]:
    unknown = dict.fromkeys(("flat_channels", "noisy_channels", "amplitude", "line_noise"), math.nan)
    return {**unknown, "length": 0, "clipped": 0, "source_digest": ""}
