"""Encoders as a command names them: in one argument, so that no result can stand under another's name."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cerebro.commands.inputs import phase_folder, read_card, read_document, require_checkpoint
from cerebro.errors import UserError

SOURCES = (
    "the folder of a finished phase, with @N for its checkpoint N; `random`, or `random-N` for seed N: the "
    "untrained encoder; `signal`: none, the signal itself; `covariance`: none, its covariance, for probes"
)
"""Help for an argument that names an encoder."""


@dataclass(frozen=True)
class Source:
    """An encoder to measure, or the signal itself."""

    node: str
    """The name under which results stand."""
    folder: Path | None = None
    """The phase's folder; none for what no phase trained."""
    checkpoint: int | None = None
    """The checkpoint within the phase; none is its encoder."""
    seed: int | None = None
    """Of the weights of an untrained encoder; none for others."""

    def settings(self, given: dict[str, Any], *, needs_encoder: bool) -> dict[str, Any]:
        """Settings with the seed, refused where they say an encoder that is not asked for, or fail to.

        Parameters
        ----------
        given
            The settings as they were handed over.
        needs_encoder
            Whether the study's architecture is needed.
        """
        if needs_encoder and "encoder" not in given:
            raise UserError(f"--settings: there is no 'encoder', which says what '{self.node}' is made of")
        if "encoder" in given and not needs_encoder:
            raise UserError(f"--settings: 'encoder' has no effect on --encoder {self.node}; leave it out")
        return {**given, "seed": self.seed or 0}


def encoder(text: str) -> Source:
    """A kind of argument: an encoder."""
    from cerebro.study.stages import COVARIANCE, SIGNAL, is_untrained, untrained_seed

    if text in (SIGNAL, COVARIANCE):
        return Source(text)
    if is_untrained(text):
        try:
            seed = untrained_seed(text)
            if seed < 0:
                raise ValueError(seed)
            return Source(text, seed=seed)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' names no seed; write random, or random-1") from None
    folder, sign, number = text.rpartition("@")
    if sign and number.isdecimal() and not Path(text).is_dir():
        path = phase_folder(folder)
        require_checkpoint(path, number)
        return Source(f"{read_card(path)['node']}@{number}", folder=path, checkpoint=int(number))
    try:
        path = phase_folder(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; an encoder is {SOURCES}") from None
    return Source(read_card(path)["node"], folder=path)


def require_different_nodes(paths: Sequence[Path], option: str) -> None:
    """Refuse files of which two are of one encoder: the second would take the first one's place.

    Raises
    ------
    UserError
        Naming both files.
    """
    seen: dict[str, Path] = {}
    for path in paths:
        node = read_document(path, "of an encoder", "node")["node"]
        if node in seen:
            raise UserError(f"{option}: {seen[node]} and {path} are both of '{node}'; name one of them")
        seen[node] = path
