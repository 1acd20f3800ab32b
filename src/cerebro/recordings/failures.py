"""One bad file costs one file; too many of them mean that something else is wrong, and the step stops.

What is wrong with the disk or the network is no fault of a file: it may be over the next time, so that it
stops the step too, and nothing remembers it.
"""

import errno
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from cerebro.errors import UserError

BY_CONFIGURATION = "subject excluded by the configuration"
"""Reason of recordings of `splits.excluded_subjects`."""

_PARTICULAR = (
    (re.compile(r"has the same name as .+"), "another one has the same name"),
    (re.compile(r"not downloaded: .+"), "not downloaded"),
    (re.compile(r"\S+\.(set|fdt|bdf|edf|vhdr|eeg|fif|gdf|cnt)\b"), "a file"),
    (
        re.compile(r"promises \d+ data records, the file holds \d+"),
        "promises more data records than it holds",
    ),
    (
        re.compile(r"its variables take \d+ bytes, the file holds \d+"),
        "its variables take more bytes than it holds",
    ),
    (
        re.compile(r"its .+ are (a part of )?those of .+, which is used"),
        "its signals are those of another file",
    ),
    (re.compile(r"only \d+ of its \d+ labels"), "only some of its labels"),
    (re.compile(r" \(not understood: .+\)"), ""),
)

# What a broken file asks for, or a broken link: a place before its start, a file of signals under a name that
# can't be one, itself. Errors without a number are raised by readers, in their own words.
_OF_THE_CONTENT = (None, errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


def is_of_the_disk(error: Exception) -> bool:
    """Whether an error says nothing of a file's content: it is not there, or can't be read at this time."""
    if isinstance(error, FileNotFoundError | PermissionError):
        return True
    return isinstance(error, OSError) and error.errno not in _OF_THE_CONTENT


def refuse_unreadable(dataset: str, unreadable: Sequence[tuple[str, str]]) -> None:
    """Stop when the disk or the network did not give a file.

    Parameters
    ----------
    dataset
        Its name in the configuration.
    unreadable
        Path and fault of every such recording.

    Raises
    ------
    UserError
        Naming the first one; the step can be run again at any time.
    """
    if unreadable:
        path, fault = unreadable[0]
        raise UserError(
            f"{len(unreadable)} of {dataset}'s recordings can't be read (first: {path}: {fault}), which says "
            "nothing of their content; running again may help, and if it does not, "
            f"datasets.{dataset}.exclude leaves their subjects out"
        )


def kind_of_reason(reason: str) -> str:
    """Leave out what is particular to one file, its name and length, so that like reasons are counted."""
    for particular, general in _PARTICULAR:
        reason = particular.sub(general, reason)
    return reason


def refuse_failures(
    dataset: str, reasons: Iterable[str], *, recordings: int, limit: float, listed_in: Path | None = None
) -> None:
    """Stop when more than one recording and more than a share of a dataset is quarantined.

    Parameters
    ----------
    dataset
        Its name in the configuration.
    reasons
        Why recordings are quarantined, one entry per recording.
    recordings
        How many recordings the dataset has, the quarantined ones included.
    limit
        Largest share that goes on.
    listed_in
        The file that lists all of them, if there is one.

    Raises
    ------
    UserError
        Naming the commonest reasons, the key that holds the limit, and the list.
    """
    counted = Counter(map(kind_of_reason, reasons))
    failed = counted.total()
    if failed > 1 and failed > limit * recordings:
        commonest = "; ".join(f"{size} x {reason}" for reason, size in counted.most_common(3))
        all_of_them = f"; {listed_in} lists all of them" if listed_in else ""
        raise UserError(
            f"{failed} of {recordings} recordings of {dataset} are quarantined, more than "
            f"datasets.{dataset}.max_failed_share = {limit:g} allows: {commonest}{all_of_them}"
        )
