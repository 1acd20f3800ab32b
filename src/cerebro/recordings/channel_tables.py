"""The table of a recording's channels (``_channels.tsv``): their kinds, their units, and which are bad.

https://bids-specification.readthedocs.io/en/stable/modality-specific-files/electroencephalography.html
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cerebro.recordings.bids_sidecars import nearest_sidecar, read_columns
from cerebro.recordings.bids_tables import is_missing

_SCALP = ("EEG", "REF", "", "N/A")
"""Kinds that may be an electrode on the scalp, among them the reference and what is not said."""


@dataclass(frozen=True)
class ChannelTable:
    """What a table says of channels, by their labels; what it does not say is left out."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    """Kinds of channels that are something else than EEG, in capitals."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Units as written, which count where the recording's own file states none."""
    bad: frozenset[str] = frozenset()
    """Labels with the status ``bad``."""
    judges: bool = False
    """Whether it has a column ``status``."""


def read_channel_table(path: Path) -> ChannelTable:
    """Read the table of a recording's channels; one that is not there, or has no names, says nothing.

    Raises
    ------
    FileNotFoundError
        If it is a link to what has not been downloaded.
    OSError
        If the disk or the network does not give it.
    """
    table = nearest_sidecar(path, "channels")
    rows = [] if table is None else read_columns(table)
    named = {row["name"]: row for row in rows if row.get("name")}
    kinds = {label: row.get("type", "").upper() for label, row in named.items()}
    units = {label: row.get("units", "") for label, row in named.items()}
    return ChannelTable(
        kinds={label: kind for label, kind in kinds.items() if kind not in _SCALP},
        units={label: unit for label, unit in units.items() if not is_missing(unit)},
        bad=frozenset(label for label, row in named.items() if row.get("status", "").lower() == "bad"),
        judges=any("status" in row for row in rows),
    )
