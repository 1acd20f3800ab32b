"""Whose recordings of a dataset stay out, and why: named, listed, not on a list of those to keep, or patients
on whom a published benchmark is evaluated.
"""

import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cerebro.config import Dataset
from cerebro.errors import UserError
from cerebro.files import digest_text
from cerebro.recordings.failures import BY_CONFIGURATION
from cerebro.recordings.folders import walk_files

_PATIENT = re.compile(r"[a-z]{8}|\d{8}")


@dataclass(frozen=True)
class Exclusions:
    """Who of one dataset stays out; subjects are compared without BIDS's ``sub-``."""

    reasons: Mapping[str, str]
    """Why a subject stays out, by name."""
    keep: frozenset[str] | None
    """The only subjects to take, or None to take all but those of `reasons`."""

    def reason(self, subject: str) -> str:
        """Say why a subject stays out; empty if it doesn't."""
        name = bare(subject)
        if self.keep is not None and name not in self.keep:
            return "subject not on the dataset's list to keep"
        return self.reasons.get(name, "")

    def digest(self) -> str:
        """Name the content: the same lists give the same digest."""
        keep = None if self.keep is None else sorted(self.keep)
        return digest_text(json.dumps([sorted(self.reasons.items()), keep]))


def read_exclusions(name: str, dataset: Dataset, excluded_subjects: Iterable[str]) -> Exclusions:
    """Read the lists that a dataset names.

    Parameters
    ----------
    name
        The dataset's name, for messages.
    dataset
        Its settings: `keep`, `exclude` and `exclude_evaluation_of`.
    excluded_subjects
        Subjects that stay out of every dataset.

    Raises
    ------
    UserError
        If a list or folder does not exist, or a folder holds no evaluation patients.
    """
    reasons: dict[str, str] = {}
    for root in dataset.exclude_evaluation_of:
        if not root.is_dir():
            raise UserError(f"datasets.{name}.exclude_evaluation_of: there is no folder {root}")
        reasons |= dict.fromkeys(evaluation_patients(root), f"an evaluation patient of {root}")
    listed = read_names(dataset.exclude, f"datasets.{name}.exclude")
    reasons |= dict.fromkeys(listed, f"subject excluded by datasets.{name}.exclude")
    reasons |= {bare(subject): BY_CONFIGURATION for subject in excluded_subjects}
    keep = frozenset(read_names(dataset.keep, f"datasets.{name}.keep")) if dataset.keep else None
    return Exclusions(reasons=reasons, keep=keep)


def bare(subject: str) -> str:
    """Return a subject's name without BIDS's ``sub-``."""
    return subject.strip().removeprefix("sub-")


def evaluation_patients(root: Path) -> set[str]:
    """Find the patients of the evaluation part of a copy of TUAB or TUEV: those below a folder ``eval``.

    TUAB's files begin with the patient (``edf/eval/normal/01_tcp_ar/aaaaaaaq_s004_t000.edf``). Those of
    TUEV's evaluation part are numbered (``edf/eval/032/bckg_032_a_.edf``); there the patient is read from the
    header, whose patient field begins with it. A warning counts files whose patient is in neither place.

    Raises
    ------
    UserError
        If no patient is found below any folder ``eval``, or the disk does not give a header that names one.
    """
    patients: set[str] = set()
    nameless = 0
    for path in walk_files([root]):
        folders = path.relative_to(root).parent.parts
        if path.suffix.lower() != ".edf" or "eval" not in (root.name, *folders):
            continue
        patient = path.name.partition("_")[0]
        if not _PATIENT.fullmatch(patient):
            patient = patient_of_header(path)
        if patient:
            patients.add(patient)
        else:
            nameless += 1
    if nameless:
        warnings.warn(
            f"{root}: {nameless} evaluation files tell their patient neither by name nor by header; name "
            "these patients under datasets.*.exclude",
            stacklevel=2,
        )
    if not patients:
        raise UserError(
            f"datasets.*.exclude_evaluation_of: no evaluation patient is found in {root}; it should hold a "
            "folder 'eval' with EDF files, as TUAB and TUEV do"
        )
    return patients


def patient_of_header(path: Path) -> str:
    """Read who an EDF file's header is of; empty where it does not begin with a TUH patient.

    Raises
    ------
    UserError
        If the disk does not give the header.
    """
    try:
        with path.open("rb") as stream:
            field = stream.read(88)[8:].decode("latin1")
    except FileNotFoundError:  # a link to content that has not been downloaded
        return ""
    except OSError as error:
        raise UserError(f"{path} can't be read ({error}); running again may help") from error
    first = field.split()[0] if field.split() else ""
    return first if _PATIENT.fullmatch(first) else ""


def read_names(entries: Sequence[str], key: str) -> set[str]:
    """Read who is named: names, or text files with one name a line, without BIDS's ``sub-``.

    Raises
    ------
    UserError
        Naming the key and a file that can't be read.
    """
    names: set[str] = set()
    for entry in entries:
        if not _is_file_name(entry):
            names.add(bare(entry))
            continue
        try:
            lines = Path(entry).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{key}: the list {entry} can't be read ({error})") from None
        names.update(bare(line.partition("#")[0]) for line in lines)
    return names - {""}


def _is_file_name(entry: str) -> bool:
    return "." in entry or "/" in entry
