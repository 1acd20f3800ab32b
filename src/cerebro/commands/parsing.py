"""What the command lines of all steps have in common."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Commands:
    """The commands of one program; called, it adds another.

    Parameters
    ----------
    parser
        The program's parser.
    """

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._commands = parser.add_subparsers(dest="command", required=True)

    def __call__(
        self,
        name: str,
        step: Callable[[argparse.Namespace], None],
        summary: str,
        *,
        settings: bool = True,
        output: bool = True,
    ) -> argparse.ArgumentParser:
        """Add a command that calls ``step``; nearly all read settings and write one output."""
        added = self._commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(step=step)
        if output:
            added.add_argument("--output", type=Path, required=True, help="what the step writes")
        if settings:
            added.add_argument(
                "--settings", type=json_argument, required=True, help="JSON text, or the path of a JSON file"
            )
        return added


def json_argument(text: str) -> Any:
    """JSON text, or the content of a JSON file."""
    try:
        return json.loads(text if text.lstrip().startswith(("{", "[")) else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"neither JSON text nor the path of a JSON file ({error})") from None
