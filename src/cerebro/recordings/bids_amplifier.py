"""How a recording was made, as its ``_eeg.json`` says: reference, mains, and whether it is already filtered.

https://bids-specification.readthedocs.io/en/stable/modality-specific-files/electroencephalography.html
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cerebro.recordings.bids_tables import is_missing
from cerebro.recordings.montages import canonical_name

MAINS_HZ = (50.0, 60.0)

_AVERAGE = re.compile(r"(common[ _-]?)?(average|avg)([ _-]?ref(erence)?)?|car", flags=re.IGNORECASE)
_BOTH_EARS = re.compile(r"\b(linked|averaged?|mean)\b.*\bear(lobe)?s?\b", flags=re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z]+\d*[Zz]?")

_PASSBAND_HZ = (0.5, 50.0)
_HIGH_PASS = re.compile(r"high.?pass|low.?cut.?off|low.?edge", flags=re.IGNORECASE)
_LOW_PASS = re.compile(r"low.?pass|high.?cut.?off|high.?edge", flags=re.IGNORECASE)
_FREQUENCY = re.compile(r"(cut.?off|freq|hz|edge|pass)[^/]*$", flags=re.IGNORECASE)
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:hz)?\s*", flags=re.IGNORECASE)


@dataclass(frozen=True)
class Amplifier:
    """What a sidecar says of the stored signals."""

    reference: str
    """Name of an electrode, `average`, `linked ears`, the sidecar's own words, or `unknown`."""
    mains_hz: float
    """50 or 60, NaN where not said."""
    filtered: bool
    """Whether they were band-passed to what the shards hold."""
    doubt: str = ""
    """A value that was not understood."""


def amplifier(sidecar: Mapping[str, Any]) -> Amplifier:
    """Read the merged ``_eeg.json`` of a recording."""
    mains, doubt = _mains(sidecar.get("PowerLineFrequency"))
    return Amplifier(
        reference=_reference(sidecar.get("EEGReference")),
        mains_hz=mains,
        filtered=_is_filtered(sidecar.get("SoftwareFilters")),
        doubt=doubt,
    )


def _mains(stated: Any) -> tuple[float, str]:
    if stated is None or is_missing(str(stated)):
        return math.nan, ""
    number = _NUMBER.fullmatch(str(stated))
    if number is None or float(number[1]) not in MAINS_HZ:
        return math.nan, f"PowerLineFrequency {stated}"
    return float(number[1]), ""


def _reference(stated: Any) -> str:
    """One electrode if one is named (`placed on FCz`), else what kind of reference it is."""
    text = " ".join(str(stated).split()) if isinstance(stated, str) else ""
    if is_missing(text):
        return "unknown"
    if _AVERAGE.fullmatch(text):
        return "average"
    if _BOTH_EARS.search(text):
        return "linked ears"
    named = {name for word in _WORD.findall(text) if (name := canonical_name(word)) is not None}
    return named.pop() if len(named) == 1 else text


def _is_filtered(filters: Any) -> bool:
    """Whether the filters of the software are a high-pass at 0.5 Hz and a low-pass at 50 Hz, and no other.

    Whatever is not said in so many numbers is taken as unfiltered: a second filter does little to signals, a
    missing one leaves drifts in them. Filters of the hardware are never those.
    """
    if not isinstance(filters, Mapping):
        return False
    edges = [
        {number for path, number in _numbers(filters) if kind.search(path) and _FREQUENCY.search(path)}
        for kind in (_HIGH_PASS, _LOW_PASS)
    ]
    return edges == [{edge} for edge in _PASSBAND_HZ]


def _numbers(content: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number in nested objects, also as text (`50 Hz`), with the keys that lead to it."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _numbers(value, f"{path}/{key}")
    elif not isinstance(content, bool) and (match := _NUMBER.fullmatch(str(content))):
        yield path, float(match[1])
