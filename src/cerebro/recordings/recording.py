"""What is known of a recording before its signals are read: its identity, its subject, where it lies."""

import math
from dataclasses import dataclass, field
from pathlib import Path

FACTORS = ("p_factor", "attention", "internalizing", "externalizing")
"""The four psychopathology factors of HBN, standardised scores."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Age in years, sex (0 male, 1 female) and the four factors; NaN where unknown."""

    age: float = math.nan
    sex: float = math.nan
    p_factor: float = math.nan
    attention: float = math.nan
    internalizing: float = math.nan
    externalizing: float = math.nan


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
    run: str = ""
    """Run number, empty where the archive has none."""
    reference: str
    """Reference of the stored signals: `Cz`, `average`, `linked ears`."""
    filtered: bool = False
    """True when the archive has already band-passed the signals."""
    person: Person = field(default_factory=Person)
    """What is known of the subject."""
    problem: str = ""
    """Why the recording can't be used although it was found; empty if nothing is wrong."""
