"""Find recordings of TUEV, the events corpus of TUH, and read its annotations.

Training files are named by patient and number (``edf/train/aaaaaaar/aaaaaaar_00000001.edf``), evaluation
files by an event and number (``edf/eval/032/bckg_032_a_.edf``), where only the header names the patient.
Beside each lies ``.rec``: lines ``channel,start,stop,code`` of 1 s each, in s and for one channel of the
montage (Harati et al. 2015, https://doi.org/10.1109/SPMB.2015.7405421).
"""

import re
from pathlib import Path

import pandas as pd

from cerebro.recordings.exclusions import patient_of_header
from cerebro.recordings.recording import Recording

CODES = {1: "spsw", 2: "gped", 3: "pled", 4: "eyem", 5: "artf", 6: "bckg"}
"""Spike and sharp wave, generalised and lateralised periodic epileptiform discharges, eye movement, artefact,
background."""
BACKGROUND = "bckg"
_PATIENT = re.compile(r"([a-z]{8}|\d{8})_\d+")


def recording(path: Path) -> Recording | None:
    """A recording of TUEV: an EDF file with annotations beside it; None for other files."""
    if path.suffix.lower() != ".edf" or not path.with_suffix(".rec").is_file():
        return None
    named = _PATIENT.fullmatch(path.stem)
    folder = path.parent.name
    patient = named[1] if named else patient_of_header(path) or f"{path.parents[1].name}{folder}"
    name = (path.stem,) if named else (patient, folder, path.stem)
    return Recording(path=path, subject=patient, name=name, reference="average")


def read_events(path: Path) -> pd.DataFrame:
    """Read the annotations beside a recording.

    Returns
    -------
    pandas.DataFrame
        ``onset`` and ``duration`` in s, ``value`` (:data:`CODES`) and ``channels``, on how many it was seen;
        one row for each time and value, and none of the background at a time when some channel shows more.
        Empty where no annotations lie beside the recording.

    Raises
    ------
    ValueError
        If the annotations are no such lines.
    """
    file = path.with_suffix(".rec")
    columns = ["onset", "duration", "value", "channels"]
    if not file.is_file() or not file.stat().st_size:
        return pd.DataFrame(columns=columns)
    lines = pd.read_csv(file, header=None, names=["channel", "start", "stop", "code"])
    if lines.isna().any(axis=None) or not lines["code"].isin(CODES).all():
        raise ValueError(f"{file} holds other lines than channel,start,stop,code with codes 1 to 6")
    lines = lines.assign(value=lines["code"].map(CODES), duration=lines["stop"] - lines["start"])
    events = lines.groupby(["start", "duration", "value"], as_index=False)["channel"].nunique()
    alone = events.groupby("start")["value"].transform("nunique") == 1
    events = events[(events["value"] != BACKGROUND) | alone]
    return events.rename(columns={"start": "onset", "channel": "channels"})[columns].reset_index(drop=True)
