"""One bad file costs one file; too many of them mean that something else is wrong, and the step stops.

What is wrong with the disk or the network is no fault of a file: it may be over the next time, so that it
stops the step too, and nothing remembers it.
"""

import errno
import re
import threading
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cerebro.errors import UserError


class BrokenRecording(ValueError):
    """A file that can't be read, or holds no EEG: this recording is left out, and the message says why.

    Raised where a file is read, and nowhere else. Any other error is a fault of this package, and stops the
    step.
    """


BY_CONFIGURATION = "subject excluded by the configuration"
"""Reason of recordings of `splits.excluded_subjects`."""

_PARTICULAR = (
    (re.compile(r"has the same name as .+"), "another one has the same name"),
    (re.compile(r"not downloaded: .+"), "not downloaded"),
    (re.compile(r"not there: .+"), "its file, or the one of its signals, is not there"),
    (re.compile(r"\S+\.(set|fdt|bdf|edf|vhdr|eeg|fif|gdf|cnt)\b"), "a file"),
    (
        re.compile(r"promises \d+ data records, the file holds \d+"),
        "promises more data records than it holds",
    ),
    (re.compile(r"holds [\d.e+]+ of \d+ samples"), "holds fewer samples than promised"),
    (re.compile(r"[\d.e+-]+ µV; EEG"), "so much; EEG"),
    (re.compile(r"jump from \S+ s to \S+ s, while a record lasts \S+ s"), "have a gap"),
    (
        re.compile(r"its variables take \d+ bytes, the file holds \d+"),
        "its variables take more bytes than it holds",
    ),
)

# What a broken file asks for, or a broken link: a place before its start, a file of signals under a name that
# can't be one, itself. Errors without a number are raised by readers, in their own words.
_OF_THE_CONTENT = (None, errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


def is_of_the_disk(error: Exception) -> bool:
    """Whether an error says nothing of a file's content: it is not there, or can't be read at this time."""
    if isinstance(error, FileNotFoundError | PermissionError):
        return True
    return isinstance(error, OSError) and error.errno not in _OF_THE_CONTENT


# One file at a time: Python keeps warnings for all threads together, and EEGLAB files of MATLAB 7.3 are read
# whole for their headers, so that several would not fit in memory side by side.
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def reading(library: str) -> Iterator[None]:
    """Let a library read a file: broken files make MNE and SciPy raise anything at all.

    For the library's own reading, and nothing else, so that no fault of this package is taken for the file's.

    Parameters
    ----------
    library
        Who reads, in the message.

    Raises
    ------
    BrokenRecording
        With what the library said, and with what it had warned of before.
    OSError
        If the disk or the network fails, as :func:`is_of_the_disk` tells.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            yield
        except (MemoryError, BrokenRecording):
            raise
        except Exception as error:
            if is_of_the_disk(error):
                raise
            said = one_line(f"{type(error).__name__}: {error}".removesuffix(": "))
            before = "".join(f"; it warned: {one_line(one.message)}" for one in warned)
            raise BrokenRecording(f"{library} cannot read it ({said}{before})") from error


@contextmanager
def opening() -> Iterator[None]:
    """Take what the operating system refuses of a file for the file's fault, unless it may pass.

    Raises
    ------
    BrokenRecording
        If the fault is the file's, such as a link to itself.
    OSError
        If the disk or the network fails, as :func:`is_of_the_disk` tells.
    """
    try:
        yield
    except OSError as error:
        if is_of_the_disk(error):
            raise
        raise BrokenRecording(one_line(error)) from error


def one_line(text: object) -> str:
    """Bring what an error or a warning says into one line, whole."""
    return " ".join(str(text).split())


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
