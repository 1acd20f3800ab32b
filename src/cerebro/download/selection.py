"""Which files of a release to fetch: those of the wanted subjects and tasks, and what describes them."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from cerebro.config import Download
from cerebro.download.bucket import RemoteObject
from cerebro.errors import UserError

SIGNALS = frozenset({".set", ".fdt", ".bdf"})
"""Suffixes of the large files; everything else describes them."""

_SUBJECT = re.compile(r"(?:^|/)(sub-[A-Za-z0-9]+)/")
_TASK = re.compile(r"_task-([A-Za-z0-9]+)_")
_UNREAD = frozenset({"derivatives", "sourcedata", "code", "stimuli"})


def choose(objects: Sequence[RemoteObject], settings: Download) -> list[RemoteObject]:
    """Choose the files of one release.

    Returns
    -------
    list of RemoteObject
        What describes the recordings first (participants, events, channels), then the signals by subject: a
        download that breaks off has whole subjects, with their labels.
    """
    tasks = {None, *settings.tasks}
    files = [
        item for item in objects if not _is_unread(item) and (not settings.tasks or task_of(item) in tasks)
    ]
    there = sorted({subject for item in files if is_recording(item) and (subject := subject_of(item))})
    if isinstance(settings.subjects, int):
        subjects = set(there[: settings.subjects])
    else:
        subjects = set(_named(settings) or there)
    chosen = [item for item in files if subject_of(item) in {None, *subjects}]
    return sorted(chosen, key=lambda item: (is_signal(item), subject_of(item) or "", item.key))


def require_wanted(objects: Sequence[RemoteObject], settings: Download) -> None:
    """Refuse tasks and subjects that none of the releases has.

    Parameters
    ----------
    objects
        The files of all releases; tasks differ between them, and a subject lies in one of them.
    settings
        What is wanted.

    Raises
    ------
    UserError
        Naming the first that is not there.
    """
    recordings = [item for item in objects if not _is_unread(item) and is_recording(item)]
    for key, wanted, of in (("tasks", settings.tasks, task_of), ("subjects", _named(settings), subject_of)):
        there = {name for item in recordings if (name := of(item))}
        for name in wanted:
            if name not in there:
                close = get_close_matches(name, there, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                releases = ", ".join(dict.fromkeys(settings.releases))
                raise UserError(f"download.{key}: {releases} ({settings.format}) has no '{name}'{hint}")


def is_signal(item: RemoteObject) -> bool:
    """Whether the file holds signals."""
    return item.path.suffix.lower() in SIGNALS


def is_recording(item: RemoteObject) -> bool:
    """Whether the file is what a recording is counted by."""
    return item.path.stem.endswith("_eeg") and is_signal(item) and item.path.suffix.lower() != ".fdt"


def subject_of(item: RemoteObject) -> str | None:
    """Return the subject in whose folder a file lies; None for what describes the whole release."""
    match = _SUBJECT.search(item.path.as_posix())
    return match[1] if match else None


def task_of(item: RemoteObject) -> str | None:
    """Return the task that a file's name tells; None for what belongs to all."""
    match = _TASK.search(f"_{item.path.name}")
    return match[1] if match else None


def _named(settings: Download) -> list[str]:
    subjects = () if isinstance(settings.subjects, int) else settings.subjects
    return ["sub-" + subject.removeprefix("sub-") for subject in subjects]


def _is_unread(item: RemoteObject) -> bool:
    folders = item.path.parts[:-1]
    return bool(_UNREAD & set(folders)) or any(part.startswith(".") for part in item.path.parts)
