"""What the labels of a file mean together, in each system of naming electrodes that is known.

A label alone tells little: ``A1`` is an earlobe, the vertex of a BioSemi cap, or a contact in a brain.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from cerebro.recordings.montages import biosemi_name, canonical_name
from cerebro.recordings.other_channels import is_beside_biosemi

EYES = ("E1", "E2")
"""Electrodes of the HydroCel net that beside 10-20 names are the eyes, as sleep laboratories name them."""

_FEWEST_EXPLAINED = 0.5
_NUMBERED = re.compile(r"([A-Z]+)(\d+)")
_NET_NAME = re.compile(r"E(\d+)")
_BIOSEMI_LABEL = re.compile(r"([A-Z])(\d+)")

_LAST_OF_THE_NET = 129  # its reference, the vertex
_OTHER_NETS = (32, 64)
"""Sizes of HydroCel nets that are smaller than HBN's and number their electrodes alike, in other places."""

_BLOCK = 32
_CAPS = {"A": 32, "AB": 64, "ABCD": 128, "ABCDE": 160, "ABCDEFGH": 256}
"""Sizes of BioSemi's caps by their letters, each of which has 32 electrodes."""
_SMALLEST_CAP = 16
_LONGEST_SHAFT = 24
"""Every letter of a cap must go beyond: shafts in a brain have letters and numbers too, but at most 18."""

# Contacts of a shaft are numbered from 1 without gaps, but for some that may not have been recorded; rows of
# a cap that look so have their midline (F1, F2, F3 and Fz), unless it is the reference of that one row.
_FEWEST_CONTACTS, _LAST_FIRST_CONTACT, _SHARE_OF_CONTACTS = 3, 2, 0.7
_ON_SHAFTS = 0.6
"""More than this share of 10-20 names on shafts, and all of them are contacts."""
_STRAY = 2
"""Numbers beyond the 10-05 system that some caps have in a row with a midline (``F11``, ``F12``)."""


@dataclass(frozen=True)
class Reading:
    """What a file's labels mean in one system."""

    names: Mapping[str, str]
    """Canonical names by label."""
    of: int
    """How many labels the system should explain."""
    doubt: str = ""
    """Why the labels look like those of the system and may be others."""

    @property
    def share(self) -> float:
        """Share of the labels that it explains, 0 to 1."""
        return len(self.names) / max(self.of, 1)

    @property
    def explains_most(self) -> bool:
        """Whether it explains half of the labels or more."""
        return self.share >= _FEWEST_EXPLAINED

    @property
    def is_sound(self) -> bool:
        """Whether the labels may be taken for those of the system."""
        return not self.doubt and self.explains_most


def ten_five(bare: Mapping[str, str], others: Mapping[str, str]) -> Reading:
    """Read labels as names of the 10-05 system, without letters whose numbers go beyond it, as shafts' do.

    Parameters
    ----------
    bare
        Bare labels (:func:`~cerebro.recordings.montages.bare_label`) by label.
    others
        Likewise of channels known to be no electrodes: ``T1`` and ``T2``, of no place, are no gap in a shaft.
    """
    asked = {label: name for label, name in bare.items() if name not in EYES}
    named = {
        label: name
        for label, text in asked.items()
        if (name := canonical_name(label)) and not _NET_NAME.fullmatch(text)
    }
    numbers: dict[str, dict[int, bool]] = {}
    for label, text in asked.items() | others.items():
        if match := _NUMBERED.fullmatch(text):
            numbers.setdefault(match[1], {})[int(match[2])] = label in named or label in others
    shafts = {
        letters
        for letters, known in numbers.items()
        if _is_gapless(known) and (f"{letters}Z" not in asked.values() or _beyond(known) > _STRAY)
    }
    foreign = {letters for letters in shafts if _beyond(numbers[letters])}
    if sum(_letters(asked[label]) in shafts for label in named) > _ON_SHAFTS * len(named):
        doubt = "its labels are numbered like the contacts of implanted electrodes"
        return Reading(asked, len(asked), doubt)
    names = {label: name for label, name in named.items() if _letters(asked[label]) not in foreign}
    return Reading(names, len(asked))


def hydrocel(bare: Mapping[str, str]) -> Reading:
    """Read labels as numbers of the HydroCel net of 128 electrodes and their reference, ``Cz``."""
    numbers = {int(match[1]) for text in bare.values() if (match := _NET_NAME.fullmatch(text))}
    names = {
        label: canonical_name(label) or text
        for label, text in bare.items()
        if _NET_NAME.fullmatch(text) or (numbers and text == "CZ")
    }
    return Reading(names, len(bare), _of_another_net(numbers))


def _of_another_net(numbers: set[int]) -> str:
    """Why numbers are not those of the net of 128, empty if they may be."""
    if numbers and max(numbers) > _LAST_OF_THE_NET:
        return f"its E{max(numbers)} belongs to a larger net than the HydroCel-129, with other places"
    for size in _OTHER_NETS:
        if numbers - {size + 1} == set(range(1, size + 1)):
            return f"E1 to E{size} are a HydroCel-{size}, whose numbers lie in other places than the 129's"
    if _is_gapless(numbers) and max(numbers) <= max(_OTHER_NETS) + 1:
        return f"E{min(numbers)} to E{max(numbers)} may be a small net's or the contacts of one electrode"
    return ""


def biosemi(bare: Mapping[str, str], labels: Iterable[str]) -> Reading:
    """Read labels as letters and numbers of a BioSemi cap: all of its letters, half of its electrodes."""
    numbered = {label: match for label, text in bare.items() if (match := _BIOSEMI_LABEL.fullmatch(text))}
    numbers: dict[str, set[int]] = {}
    for match in numbered.values():
        numbers.setdefault(match[1], set()).add(int(match[2]))
    size = _CAPS.get("".join(sorted(numbers)), 0)
    if size == _BLOCK and numbers["A"] == set(range(1, _SMALLEST_CAP + 1)):
        size = _SMALLEST_CAP
    elif size and any(not _LONGEST_SHAFT < max(own) <= _BLOCK for own in numbers.values()):
        size = 0
    if len(numbered) < _FEWEST_EXPLAINED * size:
        size = 0
    if size == 0:
        return Reading({}, len(bare))
    doubt = ""
    if size <= _BLOCK and not any(map(is_beside_biosemi, labels)):
        doubt = (
            f"A1 to A{size} may be a BioSemi cap's, without its other channels, or the contacts of a strip"
        )
    names = {label: biosemi_name(match[0], size=size) for label, match in numbered.items()}
    return Reading(names, len(bare), doubt)


def _is_gapless(numbers: Collection[int]) -> bool:
    """Whether numbers run on from 1, as contacts of a shaft or a strip do."""
    return (
        len(numbers) >= max(_FEWEST_CONTACTS, _SHARE_OF_CONTACTS * max(numbers, default=0))
        and min(numbers) <= _LAST_FIRST_CONTACT
    )


def _beyond(known: Mapping[int, bool]) -> int:
    """How many numbers of a letter are none of the system's."""
    return sum(not one for one in known.values())


def _letters(text: str) -> str:
    match = _NUMBERED.fullmatch(text)
    return match[1] if match else ""
