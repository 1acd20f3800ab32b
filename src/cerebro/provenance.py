"""Which code and which pinned packages a workflow step rests on, as one digest.

Snakemake does not look into Python that a rule's shell command starts. Each rule therefore carries
``params: code=code_digest("cerebro.shards.build")``, and a change of what that step computes with re-runs it.
Comments, docstrings and formatting are not part of the digest.
"""

import ast
import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib.util import decode_source
from pathlib import Path

from cerebro.files import digest_text

PACKAGE = Path(__file__).parent
LOCK = PACKAGE / "shipped" / "requirements.lock"

UNSEEN = frozenset(
    {"cerebro", *(f"cerebro.{name}" for name in ("config", "errors", "exclusive", "files", "tracking"))}
)
"""Modules that do not count: settings reach a step as ``params`` of their own, and the others cannot change
what is computed."""

UNSEEN_PACKAGES = frozenset({"rich"})
"""Packages that only print."""

DISTRIBUTIONS = {"sklearn": "scikit-learn"}
"""Distributions whose name differs from that of the module they install."""


@cache
def code_digest(*modules: str, without: tuple[str, ...] = (), files: tuple[Path, ...] = ()) -> str:
    """Digest of modules, of what they import from this package, and of the packages' pinned versions.

    Imports are followed to the end, those inside functions included; the syntax trees are hashed.

    Parameters
    ----------
    *modules
        Entry points by dotted name, such as ``cerebro.shards.build``.
    without
        Modules not to follow, such as the other choices of a table of choices.
    files
        Python files outside of this package that count as well, with what they import from it; the versions
        of packages that they import do not count.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    ValueError
        An imported package is not pinned in the lock file, or a module does not exist.
    """
    unseen = UNSEEN.union(without)
    outside = [decode_source(file.read_bytes()) for file in files]
    used = {name for source in outside for name in imports(source) if _file(name) is not None}
    modules = (*modules, *used)
    pins = read_pins(LOCK.read_text())
    if unpinned := required_packages(*modules, unseen=unseen) - pins.keys():
        raise ValueError(f"{', '.join(sorted(unpinned))} imported but not pinned in {LOCK}")
    parts = [f"{name} {_syntax(_source(name))}" for name in sorted(_reach(modules, unseen))]
    parts += [f"{name}=={pins[name]}" for name in sorted(required_packages(*modules, unseen=unseen))]
    parts += [_syntax(source) for source in outside]
    return digest_text("\n".join(parts))


def required_packages(*modules: str, unseen: frozenset[str] = frozenset()) -> set[str]:
    """Distributions that modules, and what they import from this package, import directly."""
    names = {
        imported.split(".")[0] for module in _reach(modules, unseen) for imported in imports(_source(module))
    }
    foreign = names - {PACKAGE.name} - UNSEEN_PACKAGES - sys.stdlib_module_names
    return {DISTRIBUTIONS.get(name, name.replace("_", "-").lower()) for name in foreign}


def read_pins(text: str) -> dict[str, str]:
    """Versions by normalised name of the lines ``name==version`` or ``name[extra]==version``."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


@cache  # by the text: every start of Snakemake asks for most files a dozen times
def imports(source: str) -> frozenset[str]:
    """Dotted names that a module imports anywhere; ``from a import b`` yields ``a`` and ``a.b``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def _reach(modules: Iterable[str], unseen: frozenset[str]) -> set[str]:
    """Modules of this package that the given ones import, and they themselves."""
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in reached or name in unseen:
            continue
        source = _source(name)
        reached.add(name)
        waiting.extend(imported for imported in imports(source) if _file(imported) is not None)
    return reached


def _file(module: str) -> Path | None:
    """The source of a module of this package; none for foreign modules and for names inside a module."""
    first, *rest = module.split(".")
    if first != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*rest)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _source(module: str) -> str:
    file = _file(module)
    if file is None:
        raise ValueError(f"there is no module {module}")
    return file.read_text()


@cache
def _syntax(source: str) -> str:
    """The syntax tree without docstrings, as text."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a bare string: a docstring of a module, class, function or attribute."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
