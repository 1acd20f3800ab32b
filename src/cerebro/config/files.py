"""Configuration files as they are written: errors with their line, before Snakemake merges what it read.

YAML's own reader takes the last of two equal keys and says nothing of the first.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from cerebro.errors import UserError


def check_files(paths: Sequence[Path]) -> None:
    """Refuse files that cannot be read as YAML or JSON, and mappings that hold a key twice.

    Raises
    ------
    UserError
        Naming file and line.
    """
    for path in map(Path, paths):
        if not path.is_file():
            raise UserError(f"there is no configuration {path}")
        root = _read(path)
        if root is not None and not isinstance(root, yaml.MappingNode):
            raise UserError(f"{path}: line {_line(root)}: a configuration has keys at its top, as name: mine")
        for key, first in _twice(root):
            raise UserError(
                f"{path}: line {_line(key)}: the key '{key.value}' was written in line {_line(first)} "
                "already; keep one of them"
            )


def _read(path: Path) -> yaml.Node | None:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line}: letters that are no UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from None
    try:
        json.loads(text)
        text = text.replace("\t", " ")  # which JSON may be indented with, and YAML may not
    except ValueError:
        pass
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f": line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}") from None


def _twice(root: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Keys that stand in one mapping for a second time, each with the first."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))  # an alias is the node that it names
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, yaml.Node] = {}
            for key, value in node.value:
                waiting += [key, value]
                if isinstance(key, yaml.ScalarNode) and first.setdefault(key.value, key) is not key:
                    yield key, first[key.value]


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


if __name__ == "__main__":
    try:
        check_files([Path(path) for path in sys.argv[1:]])
    except UserError as error:
        sys.exit(f"cerebro: {error}")
