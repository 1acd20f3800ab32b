"""The file that holds a recording's signals beside it: the one of its own name, whatever its header says.

Headers of EEGLAB and BrainVision name a second file. Whoever renames recordings, as BIDS does, leaves the old
name in them, and a file of that name may be another recording's.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

_SIGNALS = {".set": (".fdt",), ".vhdr": (".eeg", ".dat", ".seg", ".avg")}
"""Suffixes of files of signals by that of the recording's file."""


def signals_beside(path: Path) -> Path | None:
    """Return the file of signals that has a recording's own name, None if there is none.

    Letters may be small or capitals. A dangling link, which git-annex leaves in place of what it has not
    fetched, counts as a file.
    """
    return _first(path, _SIGNALS.get(path.suffix.lower(), ()))


def recording_of(signals: Path) -> Path | None:
    """Return the recording that has the name of a file of signals, as :func:`signals_beside`."""
    return _first(signals, _SIGNALS)


def _first(path: Path, suffixes: Iterable[str]) -> Path | None:
    files = (file for suffix in suffixes for file in _spellings(path, suffix))
    return next((file for file in files if file.exists() or file.is_symlink()), None)


def _spellings(path: Path, suffix: str) -> Iterator[Path]:
    for stem in dict.fromkeys((path.stem, path.stem.lower(), path.stem.upper())):
        for spelt in (suffix, suffix.upper(), suffix.capitalize()):
            yield path.with_name(stem + spelt)
