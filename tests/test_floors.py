"""The package's floors: a room imports only from rooms below it."""

import ast
from pathlib import Path

import pytest

import cerebro
from cerebro.provenance import imports

PACKAGE = Path(cerebro.__file__).parent
FLOORS = {
    "": 0,
    "config": 0,
    "errors": 0,
    "files": 0,
    "mlflow_run": 0,
    "mlflow_store": 0,
    "provenance": 0,
    "running": 0,
    "study": 0,
    "syntax": 0,
    "tracking": 0,
    "losses": 1,
    "models": 1,
    "recordings": 1,
    "statistics": 1,
    "download": 2,
    "shards": 2,
    "simulation": 2,
    "data": 3,
    "phases": 4,
    "probes": 4,
    "adapters": 5,
    "scoring": 5,
    "synchrony": 5,
    "report": 6,
    "submission": 6,
    "plan": 7,
    "check": 8,
    "drafting": 9,
    "commands": 10,
    "cli": 11,
}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def room(module: str) -> str:
    return [*module.split("."), ""][1]


def module_name(path: Path) -> str:
    parts = ("cerebro", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def is_module(name: str) -> bool:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    return path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_a_room_imports_only_from_rooms_below_it(path: Path) -> None:
    here = room(module_name(path))
    assert here in FLOORS, f"room '{here}' has no floor"
    for name in imports(path.read_text()):
        if name.split(".")[0] != "cerebro" or not is_module(name):
            continue
        there = room(name)
        same_floor_zero = FLOORS[here] == FLOORS[there] == 0
        assert there == here or FLOORS[there] < FLOORS[here] or same_floor_zero, (
            f"{path.relative_to(PACKAGE)} (floor {FLOORS[here]}) imports {name} (floor {FLOORS[there]})"
        )


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_are_absolute_so_that_they_can_be_followed(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]


@pytest.mark.parametrize("path", sorted((PACKAGE / "models").glob("*.py")), ids=module_name)
def test_models_need_nothing_but_torch_and_numpy(path: Path) -> None:
    foreign = {name.split(".")[0] for name in imports(path.read_text())} - {"cerebro", "torch", "numpy"}
    if path.stem == "braindecode_encoder":  # imported, and shipped, only where a network of it is asked for
        foreign -= {"braindecode", "difflib", "inspect", "warnings"}
    assert foreign <= {"collections", "dataclasses", "functools", "itertools", "math", "typing"}


def test_braindecode_is_imported_in_one_module_only() -> None:
    users = [
        module_name(path)
        for path in SOURCES
        if any(name.partition(".")[0] == "braindecode" for name in imports(path.read_text()))
    ]
    assert users == ["cerebro.models.braindecode_encoder"]


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    """Steps import their room when they run: `cerebro --help` stays instant."""
    tops = set()
    for path in (PACKAGE / "cli.py", *(PACKAGE / "commands").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                tops |= imports(ast.unparse(node))
    rooms = {room(name) for name in tops if is_module(name)} - {"commands"}
    assert not {name for name in rooms if FLOORS[name] > 0 or name == "config"}  # pydantic's models
