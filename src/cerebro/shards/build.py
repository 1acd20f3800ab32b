"""Preprocess one group of subjects into one shard, one recording at a time."""

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
import pyarrow as pa
from rich.progress import track

from cerebro.config import Preprocessing, Quality
from cerebro.errors import UserError
from cerebro.files import atomic_path, digest_file, digest_text
from cerebro.recordings.contract import refuse_no_eeg
from cerebro.recordings.failures import BrokenRecording, is_of_the_disk, one_line
from cerebro.recordings.montages import canonical_order
from cerebro.recordings.signals import open_raw, source_files
from cerebro.shards.channel_quality import REASONS, RawFacts, bad_channels, join_facts, raw_facts
from cerebro.shards.preprocess import UV_PER_VOLT, preprocess
from cerebro.shards.quality import recording_quality
from cerebro.shards.repeats import fingerprint
from cerebro.shards.store import SFREQ, ShardWriter, quantise, write_table

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
        "bad_channels": pa.string(),
        "source_digest": pa.string(),
        "fingerprint": pa.list_(pa.float32()),
    }
)
"""Columns of a shard's table: offset and length in samples, channels as a JSON list of those that the file
has, quality as in :class:`cerebro.shards.quality.RecordingQuality`, bad channels as a JSON object of name and
reason (:data:`cerebro.shards.channel_quality.REASONS`), the digest of the raw file and of a signal file
beside it, and by which the same signals are found under another name (:mod:`cerebro.shards.repeats`)."""


def build_shard(
    settings: Preprocessing,
    quality: Quality,
    *,
    inventory: Path,
    group: str,
    output: Path,
    table: Path,
) -> None:
    """Write the signals of a group and the table beside them.

    All recordings of a shard share one list of channels, the union over the group; a channel that a
    recording doesn't have is zero throughout. Bad channels are named in the table and stored as recorded, in
    every release: the challenge's scorer hands them over so, and models must be fitted on what they are
    scored on. Which channels take part in a window is decided by the models' front end alone. A recording
    that can't be read, or whose signals can't be EEG, stays in the table, with status ``quarantined``, its
    reason and length 0; any other error stops the step. A group without recordings writes an empty shard.

    Parameters
    ----------
    settings
        Band in Hz, sampling rate in Hz.
    quality
        When a channel is bad. Its mains are those of recordings of which the inventory knows none.
    inventory
        The inventory of all recordings.
    group
        Which group (column ``group`` of the inventory).
    output, table
        The ``.npy`` and the ``.parquet`` to write.

    Raises
    ------
    UserError
        If the disk or the network does not give a file: without it the shard would stay incomplete.
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
                samples, facts = _read(row, settings, quality, channels)
            except BrokenRecording as error:
                written.append(entry | _nothing() | {"status": "quarantined", "reason": one_line(error)})
                continue
            except OSError as error:
                if not is_of_the_disk(error):
                    raise
                raise UserError(
                    f"{row['path']} can't be read ({type(error).__name__}: {error}), which says nothing of "
                    "its content; running again may help"
                ) from error
            shard.append(samples)
            written.append(entry | facts | {"length": len(samples)})
    write_table(table, pa.Table.from_pylist(written, schema=SCHEMA), channels=channels, sfreq=SFREQ)
    print(_summary(group, written, len(channels), SFREQ))


def _read(
    row: dict[str, Any],
    settings: Preprocessing,
    quality: Quality,
    channels: list[str],
) -> tuple[np.ndarray, dict[str, Any]]:
    path = Path(row["path"])
    raw = open_raw(path)
    if not math.isnan(row["mains_hz"]):
        quality = quality.model_copy(update={"mains_hz": row["mains_hz"]})
    blocks: list[RawFacts] = []

    def inspect(block: mne.io.BaseRaw) -> None:
        blocks.append(raw_facts(block.get_data() * UV_PER_VOLT, sfreq=block.info["sfreq"], settings=quality))

    signal = preprocess(raw, settings, filtered=row["filtered"], inspect=inspect)
    refuse_no_eeg(signal, sfreq=SFREQ)
    facts = join_facts(blocks)
    bad = bad_channels(
        signal,
        facts,
        names=raw.ch_names,
        reference=row["reference"],
        marked=raw.info["bads"],
        sfreq=SFREQ,
        settings=quality,
    )
    stored, clipped = quantise(signal)
    summary = recording_quality(signal, bad=bad, hum_db=facts.hum_db, clipped=clipped)
    column = {name: index for index, name in enumerate(channels)}
    samples = np.zeros((signal.shape[1], len(channels)), dtype=np.int16)
    samples[:, [column[name] for name in raw.ch_names]] = stored.T
    entry = {
        **asdict(summary),
        "channels": json.dumps(raw.ch_names),
        "bad_channels": json.dumps(bad),
        "source_digest": _digest(source_files(path, raw)),
        "fingerprint": fingerprint(samples),
    }
    return samples, entry


def _digest(files: Sequence[Path]) -> str:
    digests = [digest_file(file) for file in files]
    return digests[0] if len(digests) == 1 else digest_text("".join(digests))


def _nothing() -> dict[str, Any]:
    unknown = dict.fromkeys(("flat_channels", "noisy_channels", "amplitude", "line_noise"), math.nan)
    return {
        **unknown,
        "length": 0,
        "clipped": 0,
        "bad_channels": "{}",
        "source_digest": "",
        "fingerprint": [],
    }


def _summary(group: str, written: list[dict[str, Any]], n_chans: int, sfreq: float) -> str:
    failed = sum(entry["status"] == "quarantined" for entry in written)
    seconds = sum(entry["length"] for entry in written) / sfreq
    line = (
        f"shard {group}: {len(written) - failed} recordings, {seconds / 3600:.2f} h, {n_chans} channels; "
        f"{failed} quarantined, {sum(entry['clipped'] for entry in written)} samples clipped"
    )
    found = Counter(reason for entry in written for reason in json.loads(entry["bad_channels"]).values())
    counts = [f"{reason} {found[reason]}" for reason in REASONS if found[reason]]
    return line + (f"; bad channels, stored as recorded: {', '.join(counts)}" if counts else "")
