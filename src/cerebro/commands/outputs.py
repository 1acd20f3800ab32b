"""Where commands write: looked at before the step begins, so that no step works for hours and then fails."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from cerebro.files import nearest_folder


def output_file(*suffixes: str) -> Callable[[str], Path]:
    """A kind of argument: a file to write, whose name has one of these suffixes; none for any name."""

    def check(text: str) -> Path:
        path = _writable(text)
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{path} is a folder; name a file")
        if suffixes and path.suffix not in suffixes:
            raise argparse.ArgumentTypeError(f"{path} must end in {' or '.join(suffixes)}")
        return path

    return check


def output_folder(text: str) -> Path:
    """A kind of argument: a folder to write into, made where it is missing."""
    path = _writable(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a file; name a folder")
    return path


def _writable(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    path = Path(text)
    try:
        there = nearest_folder(path.parent)
        in_the_way = next((above for above in path.parents if above.exists() and not above.is_dir()), None)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{path}: {error.strerror}") from None
    if in_the_way is not None:
        raise argparse.ArgumentTypeError(f"{path} can't be written: {in_the_way} is a file")
    if not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} can't be written: {there} is closed to you")
    return path
