"""The table of channels beside a BIDS recording: of which kind each channel is.

https://bids-specification.readthedocs.io/en/stable/modality-specific-files/electroencephalography.html
"""

from pathlib import Path

_MODALITIES = ("eeg", "ieeg", "meg")
_SCALP = ("EEG", "REF", "", "N/A")
"""Kinds that may be an electrode on the scalp, among them the reference and what is not said."""


def channel_table(path: Path) -> Path | None:
    """Return where BIDS keeps the table of a recording's channels, beside it; None for other names."""
    entities, _, modality = path.stem.rpartition("_")
    return path.with_name(f"{entities}_channels.tsv") if entities and modality in _MODALITIES else None


def other_kinds(path: Path) -> dict[str, str]:
    """Return the kind of each channel that the table beside a recording calls something else than EEG.

    Empty where there is no table, or none with the columns ``name`` and ``type``.
    """
    table = channel_table(path)
    try:
        text = "" if table is None else table.read_bytes().decode("utf-8-sig", errors="replace")
    except FileNotFoundError:
        return {}
    columns, *rows = [line.split("\t") for line in text.splitlines()] or [[]]
    if not {"name", "type"} <= set(columns):
        return {}
    name, kind = columns.index("name"), columns.index("type")
    cells = [row for row in rows if len(row) > max(name, kind)]
    kinds = {row[name].strip(): row[kind].strip().upper() for row in cells}
    return {label: stated for label, stated in kinds.items() if stated not in _SCALP}
