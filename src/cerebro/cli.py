"""One thin command per workflow step; a step's room is imported only when that step runs.

Settings arrive as JSON text (or the path of a JSON file), exactly as the workflow prints them, so that any
line of `snakemake --printshellcmds` can be run by hand. What re-runs nothing stands in the environment.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from cerebro.commands import answers, data, encoders, phases
from cerebro.commands.inputs import damaged_table
from cerebro.commands.parsing import Command, Commands, keep_apart
from cerebro.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step; a user's mistake prints one sentence and returns 1, or ends with 2 for a wrong argument.

    What else goes wrong is a fault of the program and keeps its traceback. Readers of one's own are found
    where one works, whether `cerebro` or `python -m cerebro.cli` was called.
    """
    if "" not in sys.path:
        sys.path.append("")
    options = parser().parse_args(arguments)
    try:
        keep_apart(options)
        if "tracking" in options:
            from cerebro.tracking import check_store

            check_store(options.tracking)  # before the step computes what it could not log
        options.step(options)
    except UserError as error:
        return _refuse(options.command, str(error))
    except Exception as error:
        from_a_table = isinstance(error, OSError) or type(error).__module__.startswith("pyarrow")
        if from_a_table and (damaged := damaged_table(_given(options))):
            return _refuse(options.command, damaged)
        raise
    return 0


def _refuse(command: str, sentence: str) -> int:
    print(f"cerebro {command}: {sentence}", file=sys.stderr)
    return 1


def _given(options: argparse.Namespace) -> list[Any]:
    """What the arguments say, one by one."""
    values = vars(options).values()
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def parser() -> Command:
    """Build the command line."""
    root = Command(prog="cerebro", description="One command per step of the workflow.")
    command = Commands(root)
    for part in (data, phases, encoders, answers):
        part.add_commands(command)
    return root


if __name__ == "__main__":
    sys.exit(main())
