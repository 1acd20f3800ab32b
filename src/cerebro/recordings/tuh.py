"""Find recordings of the Temple University Hospital EEG corpus, in the layouts of TUEG and TUAB.

TUEG: ``edf/000/aaaaaaaa/s001_2015_12_30/01_tcp_ar/aaaaaaaa_s001_t000.edf``;
TUAB: ``edf/train/normal/01_tcp_ar/aaaaaaaa_s001_t000.edf`` (Obeid & Picone 2016,
https://doi.org/10.3389/fnins.2016.00196). The montage folder tells the reference, the EDF header the
patient's age and sex where it has them.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from cerebro.recordings.folders import walk_files
from cerebro.recordings.recording import Person, Recording
from cerebro.recordings.signals import edf_header

_FILE = re.compile(r"(?P<patient>[a-z0-9]+)_(?P<session>s\d+)_(?P<token>t\d+)\.edf")
_MONTAGE_FOLDER = re.compile(r"0\d_tcp_(ar|le)(_a)?")
_REFERENCES = {"ar": "average", "le": "linked ears"}


def scan(roots: Sequence[Path]) -> Iterator[Recording]:
    """Yield every TUH recording below ``roots``; only the patient field of the header is read."""
    for path in walk_files(roots):
        match = _FILE.fullmatch(path.name)
        if match is None:
            continue
        montage = _MONTAGE_FOLDER.fullmatch(path.parent.name)
        folder = path.parent.parent.name if montage else path.parent.name
        session = folder if folder.startswith(match["session"]) else match["session"]
        yield Recording(
            path=path,
            subject=match["patient"],
            name=(match["patient"], session, match["token"]),
            session=session,
            reference=_REFERENCES[montage[1]] if montage else "unknown",
            person=_patient(path),
        )


def _patient(path: Path) -> Person:
    try:
        field, _ = edf_header(path)
    except (OSError, ValueError):
        return Person()  # the inventory opens the file next and records what is wrong with it
    age = re.search(r"\bAge:\s*(\d+)", field)
    sex = re.search(r"(?:^|\s)([MF])(?=\s|$)", field)
    return Person(
        age=float(age[1]) if age else math.nan,
        sex=math.nan if sex is None else float(sex[1] == "F"),
    )
