"""Which code and which pinned packages a workflow step rests on, as one digest.

Snakemake does not look into Python that a rule's shell command starts. Each rule therefore carries
``params: code=code_digest("cerebro.shards.build")``, and a change of what that step computes with re-runs it.
Comments, docstrings and formatting are not part of the digest.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent

UNSEEN = frozenset({"cerebro", *(f"cerebro.{name}" for name in ("config", "errors", "files", "tracking"))})
"""Modules that do not count: settings reach a step as ``params`` of their own, and the others cannot change
what is computed."""

UNSEEN_PACKAGES = frozenset({"rich"})
"""Packages that only print."""

DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Distributions whose name differs from that of the module they install."""


@cache
def code_digest(
    *modules: str, without: tuple[str, ...] = (), lock: Path = PACKAGE.parents[1] / "requirements.lock"
) -> str:
    """Digest of modules, of what they import from this package, and of the packages' pinned versions.

    Imports are followed to the end, those inside functions included; the syntax trees are hashed.

    Parameters
    ----------
    *modules
        Entry points by dotted name, such as ``cerebro.shards.build``.
    without
        Modules not to follow, such as the other choices of a table of choices.
    lock
        The lock file with one ``name==version`` a line.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    ValueError
        An imported package is not pinned in the lock file, or a module does not exist.
    """
    pins = read_pins(lock.read_text())
    parts = []
    for name in sorted(_reach(modules, UNSEEN.union(without))):
        tree, external = _syntax(name)
        parts.append(f"{name} {tree}")
        for package in external:
            distribution = DISTRIBUTIONS.get(package, package.replace("_", "-").lower())
            if distribution not in pins:
                raise ValueError(f"{name} imports {package}, which {lock} does not pin")
            parts.append(f"{distribution}=={pins[distribution]}")
    return hashlib.sha256("\n".join(sorted(set(parts))).encode()).hexdigest()[:16]


def read_pins(text: str) -> dict[str, str]:
    """Versions by normalised name of the lines ``name==version`` of a requirements file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def imports(source: str) -> set[str]:
    """Dotted names that a module imports anywhere; ``from a import b`` yields ``a`` and ``a.b``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _reach(modules: Iterable[str], unseen: frozenset[str]) -> set[str]:
    missing = [name for name in modules if _file(name) is None]
    if missing:
        raise ValueError(f"there is no module {missing[0]}")
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if name in reached or name in unseen or file is None:
            continue
        reached.add(name)
        waiting.extend(imports(file.read_text()))
    return reached


def _file(module: str) -> Path | None:
    """The source of a module of this package; none for foreign modules and for names inside a module."""
    first, *rest = module.split(".")
    if first != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*rest)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _syntax(module: str) -> tuple[str, set[str]]:
    file = _file(module)
    assert file is not None
    source = file.read_text()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)]
    tops = {name.split(".")[0] for name in imports(source)}
    return ast.dump(tree), tops - {PACKAGE.name} - UNSEEN_PACKAGES - sys.stdlib_module_names


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a bare string: a docstring of a module, class, function or attribute."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
