"""What HBN's participants.tsv knows of each subject: release, age, sex and the four factors."""

import warnings
from pathlib import Path

import pandas as pd

from cerebro.recordings.recording import FACTORS, Person

_SEXES = {"M": 0.0, "F": 1.0}


def read_participants(path: Path) -> dict[str, tuple[str, Person]]:
    """Read release and labels of every subject in a BIDS ``participants.tsv``.

    Returns
    -------
    dict
        By subject (``sub-…``): the release (empty if not stated) and the :class:`Person`. What is missing,
        not a number, or an unexpected sex is NaN; a subject listed twice with different content keeps the
        first row. A warning counts both.

    Raises
    ------
    ValueError
        If the table has no column ``participant_id``.
    """
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8")
    if "participant_id" not in table:
        raise ValueError(f"{path} has no column participant_id")
    table = table.drop_duplicates()
    repeated = table["participant_id"].duplicated()
    table = table[~repeated]
    stated = {name: table[name].str.strip() for name in table}
    blank = pd.Series("n/a", index=table.index)
    numbers = {name: pd.to_numeric(stated.get(name, blank), errors="coerce") for name in ("age", *FACTORS)}
    numbers["sex"] = stated.get("sex", blank).map(_SEXES).astype(float)
    unreadable = sum(
        int((values.isna() & ~stated.get(name, blank).isin(["n/a", ""])).sum())
        for name, values in numbers.items()
    )
    if repeated.any() or unreadable:
        warnings.warn(
            f"{path}: {int(repeated.sum())} repeated subjects ignored, {unreadable} values unreadable and "
            "taken as missing",
            stacklevel=2,
        )
    releases = stated.get("release_number", blank).replace("n/a", "")
    labels = pd.DataFrame(numbers).to_dict(orient="records")
    return {
        subject: (release, Person(**{str(name): float(value) for name, value in person.items()}))
        for subject, release, person in zip(stated["participant_id"], releases, labels, strict=True)
    }
