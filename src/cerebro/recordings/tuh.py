"""Find recordings of the Temple University Hospital EEG corpus, in the layouts of TUEG and TUAB.

TUEG: ``edf/000/aaaaaaaa/s001_2015_12_30/01_tcp_ar/aaaaaaaa_s001_t000.edf``, the session also without its day
(``s001_2015``) or, before version 2, with the montage first and numbered patients
(``edf/01_tcp_ar/000/00000000/s001_2003_01_01/00000000_s001_t000.edf``);
TUAB: ``edf/train/normal/01_tcp_ar/aaaaaaaa_s001_t000.edf`` (Obeid & Picone 2016,
https://doi.org/10.3389/fnins.2016.00196). Patient, session and token are those of the file's name, so that a
recording that lies in TUEG and in TUAB has one name. The montage folder tells the reference, the EDF header
the patient's age and sex where it has them. TUEV: :mod:`cerebro.recordings.tuev`, whose events are read.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cerebro.recordings import tuev
from cerebro.recordings.folders import walk_files
from cerebro.recordings.recording import Recording

_FILE = re.compile(r"(?P<patient>[a-z0-9]+)_(?P<session>s\d+)_(?P<token>t\d+)\.edf", flags=re.IGNORECASE)
_MONTAGE_FOLDER = re.compile(r"0\d_tcp_(ar|le)(_a)?")
_REFERENCES = {"ar": "average", "le": "linked ears"}


def scan(roots: Sequence[Path]) -> Iterator[Recording]:
    """Yield every TUH recording below ``roots``, headers unread."""
    for path in walk_files(roots):
        match = _FILE.fullmatch(path.name)
        if match is None:
            if (of_tuev := tuev.recording(path)) is not None:
                yield of_tuev
            continue
        above = path.parent.parts[::-1]
        montage = next((found for name in above if (found := _MONTAGE_FOLDER.fullmatch(name))), None)
        session = match["session"]
        dated = next((name for name in above if re.fullmatch(rf"{session}(_\d+)*", name)), session)
        yield Recording(
            path=path,
            subject=match["patient"],
            name=(match["patient"], session, match["token"]),
            session=dated,
            reference=_REFERENCES[montage[1]] if montage else "unknown",
        )


read_events = tuev.read_events


def read_person(patient: str) -> dict[str, str]:
    """Read age (years) and sex from the patient field of a header, as text; what is not there is left out.

    The field reads like ``aaaaaaaa F 01-JAN-1950 aaaaaaaa Age:65``.
    """
    age = re.search(r"\bAge:\s*(\d+(?:\.\d+)?)", patient, flags=re.IGNORECASE)
    sex = re.search(r"(?:^|\s)([MF])(?=\s|$)", patient)
    found = {"age": age, "sex": sex}
    return {column: match[1] for column, match in found.items() if match is not None}
