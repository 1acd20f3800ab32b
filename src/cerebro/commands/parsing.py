"""What the command lines of all steps have in common."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from cerebro.commands.outputs import output_file
from cerebro.errors import UserError


class _Once(argparse.Action):
    """Stores a value; an option that is given twice is refused, and a list that holds something twice."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given = vars(namespace).setdefault("given", set())
        if self.dest in given:
            raise argparse.ArgumentError(self, "is given twice")
        if isinstance(values, list) and (twice := [str(one) for one in values if values.count(one) > 1]):
            raise argparse.ArgumentError(self, f"{twice[0]} is named twice")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class Command(argparse.ArgumentParser):
    """The arguments of one command, or of the program; a wrong one ends it with one line.

    A line of a file given as ``@FILE`` is an argument: lists can be longer than a command line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "allow_abbrev": False, "fromfile_prefix_chars": "@"})
        self.register("action", None, _Once)
        self.outputs: list[str] = []
        """Names of the arguments that say where the command writes."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse unknown arguments in the name of the command."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """End with one line on standard error and exit code 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help\n")

    def writes(self, option: str, kind: Callable[[str], Path], **further: Any) -> None:
        """Add an argument that says where the command writes."""
        self.outputs.append(self.add_argument(option, type=kind, required=True, **further).dest)

    def reads(self, option: str, kind: Callable[[str], Any], **further: Any) -> None:
        """Add an argument that names something to read, which is looked at before the step begins."""
        self.add_argument(option, type=kind, **{"required": True, **further})


class Commands:
    """The commands of one program; called, it adds another.

    Parameters
    ----------
    parser
        The program's parser.
    """

    def __init__(self, parser: Command) -> None:
        self._commands = parser.add_subparsers(dest="command", required=True)

    def __call__(
        self,
        name: str,
        step: Callable[[argparse.Namespace], None],
        summary: str,
        *,
        output: str | tuple[str, ...] | None,
        settings: bool = True,
    ) -> Command:
        """Add a command that calls ``step``, the function of its name after an underscore.

        Parameters
        ----------
        name, step, summary
            Of the command.
        output
            The suffix of what it writes, or several to choose from; none for a command without one output.
        settings
            Whether it reads settings, as nearly all do.
        """
        added: Command = self._commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(step=step, outputs=added.outputs)
        if output is not None:
            suffixes = (output,) if isinstance(output, str) else output
            added.writes("--output", output_file(*suffixes), help="what the step writes")
        if settings:
            added.add_argument(
                "--settings", type=json_argument, required=True, help="JSON text, or the path of a JSON file"
            )
        return added


def keep_apart(options: argparse.Namespace) -> None:
    """Refuse an output that is also something else of the command, which it would overwrite.

    Raises
    ------
    UserError
        Naming the path.
    """
    paths = [
        (name, path)
        for name, value in vars(options).items()
        for path in (value if isinstance(value, Sequence) else [value])
        if isinstance(path, Path)
    ]
    for name, path in paths:
        same = [other for other, also in paths if other != name and also.resolve() == path.resolve()]
        if name in options.outputs and same:
            raise UserError(f"--{name} and --{same[0]} are both {path}; name different files")


def json_argument(text: str) -> Any:
    """JSON text, or the content of a JSON file."""
    try:
        return json.loads(text if text.lstrip().startswith(("{", "[")) else Path(text).read_text())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(
            f"neither JSON text nor the path of a JSON file ({reason})"
        ) from None


def number_above_zero(text: str) -> int:
    """A whole number, at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def name(text: str) -> str:
    """The name of a node, a group or a study."""
    if not text.strip() or "/" in text:
        raise argparse.ArgumentTypeError(f"{text!r} can't be a name")
    return text
