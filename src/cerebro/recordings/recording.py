"""What is known of a recording before its signals are read: its identity, its subject, where it lies."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One raw file as a reader found it, its header still unread."""

    path: Path
    """The raw file."""
    subject: str
    """`sub-…` in BIDS archives, the patient in TUH."""
    name: tuple[str, ...]
    """Parts that name the recording within its dataset, joined by `/` in the inventory."""
    release: str = ""
    """HBN's release (`R1`, ...), empty elsewhere."""
    session: str = ""
    """Session, empty where the archive has none."""
    task: str = ""
    """BIDS task, empty where the archive has none."""
    acquisition: str = ""
    """BIDS acquisition, empty where the archive has none."""
    run: str = ""
    """Run number, empty where the archive has none."""
    reference: str
    """Reference of the stored signals: `Cz`, `average`, `linked ears`."""
    filtered: bool = False
    """True when the archive has already band-passed the signals."""
    mains_hz: float = math.nan
    """Frequency of the mains as a sidecar says, NaN where none does."""
    person: Mapping[str, str] = field(default_factory=dict)
    """What a table of participants says of the subject, by column and as written; what is missing is left
    out. `age` (years) and `sex` may come from the file's header instead."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What a table of scans says of the recording, by column and as written."""
    problem: str = ""
    """Why the recording can't be used although it was found; empty if nothing is wrong."""
