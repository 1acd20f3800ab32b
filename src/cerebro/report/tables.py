"""A table of text, printed in a terminal or written as Markdown."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

PLAIN_WIDTH = 120
"""Columns where the output is no terminal (a log, a pipe)."""
MAX_WIDTH = 140


@dataclass(frozen=True)
class Table:
    """Title, header, rows of cells, and notes below; a line break in a cell separates value and interval.

    The first ``n_names`` columns hold words, the others numbers; a rule is drawn after each row of
    ``separated``.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    n_names: int = 1
    separated: frozenset[int] = frozenset()


def print_tables(tables: Sequence[Table], *, console: Console | None = None) -> None:
    """Print to a terminal of any width; a log or a pipe gets 120 columns, and ASCII where nothing else works.

    Parameters
    ----------
    tables : sequence of Table
    console : Console, optional
        Where to print; the standard output if not given.
    """
    console = console or _console()
    for table in tables:
        drawn = RichTable(
            title=Text(table.title, style="bold"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            header_style="bold",
        )
        for number, name in enumerate(table.header):
            names = number < table.n_names
            drawn.add_column(Text(name), justify="left" if names else "right", no_wrap=number == 0)
        for number, row in enumerate(table.rows):
            drawn.add_row(*map(_styled, row), end_section=number in table.separated)
        console.print()
        console.print(drawn)
        for note in table.notes:
            console.print(Padding(Text(note, style="dim"), (0, 0, 0, 1)))
    console.print()


def as_markdown(tables: Sequence[Table]) -> str:
    """The same tables as GitHub's Markdown."""
    parts = []
    for table in tables:
        lines = [
            f"## {table.title}",
            "",
            _markdown_row(table.header),
            _markdown_row(["---" if n < table.n_names else "---:" for n in range(len(table.header))]),
            *map(_markdown_row, table.rows),
        ]
        for note in table.notes:
            lines += ["", _escaped(note)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _console() -> Console:
    terminal = sys.stdout.isatty()
    found = Console()
    return Console(width=min(found.width, MAX_WIDTH) if terminal else PLAIN_WIDTH)


def _styled(cell: str) -> Text:
    value, _, interval = cell.partition("\n")
    text = Text(value, style="bold green" if value.endswith("*") else "")
    return text + Text("\n" + interval, style="dim") if interval else text


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell).replace("\n", " ") for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", r"\|").replace("*", r"\*")
