"""Which code and which pinned packages a workflow step rests on, as one digest.

Snakemake does not look into Python that a rule's shell command starts. Each rule therefore carries
``params: code=step_digest("shard")``, and a change of what that step computes with re-runs it: the function
behind the command, and all that it imports, to the end. Comments, docstrings and formatting are not part of
the digest, nor is the version of Python.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import decode_source
from pathlib import Path
from typing import NamedTuple

from cerebro.files import digest_text
from cerebro.syntax import Source, bound, methods_alone, normalised

PACKAGE = Path(__file__).parent
LOCK = PACKAGE / "shipped" / "requirements.lock"

UNSEEN = frozenset({"cerebro", *(f"cerebro.{name}" for name in ("errors", "exclusive", "tracking"))})
"""Modules that do not count, since they cannot change what is computed."""

BY_NAME = ("cerebro.commands", "cerebro.config", "cerebro.files")
"""Modules of which those definitions count that are imported by name, with what these refer to: every step
needs another part of them. Of all other modules the whole counts."""

UNSEEN_PACKAGES = frozenset({"rich"})
"""Packages that only print."""

DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Distributions whose name differs from that of the module they install."""

COMMANDS = tuple(f"cerebro.commands.{name}" for name in ("data", "phases", "encoders", "answers"))
"""Where the functions behind the commands are."""

WITHOUT_DIGEST = ("check", "download", "track")
"""Commands that compute nothing which another step reads."""


class _Part(NamedTuple):
    """A module of this package, or what it defines under one name."""

    module: str
    name: str | None = None


class _Import(NamedTuple):
    """An imported module, or a name that is imported from it."""

    module: str
    name: str | None = None


def step_digest(step: str, *, without: tuple[str, ...] = (), files: tuple[Path, ...] = ()) -> str:
    """Digest of the code behind a command, such as ``check-windows``; parameters of :func:`code_digest`."""
    reading = "cerebro.commands.parsing.json_argument"  # how settings arrive
    return code_digest(_function(step), reading, without=without, files=files)


@cache
def code_digest(*entries: str, without: tuple[str, ...] = (), files: tuple[Path, ...] = ()) -> str:
    """Digest of modules, of what they import from this package, and of the packages' pinned versions.

    Imports are followed to the end, those inside functions included.

    Parameters
    ----------
    *entries
        Where to begin: dotted names of modules, such as ``cerebro.shards.build``, or of what one defines.
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
        An imported package is not pinned in the lock file, or an entry does not exist.
    """
    outside = [Source(decode_source(file.read_bytes())).tree for file in files]
    used = set(_parts(_imported(outside)))
    texts, packages = _reach({*map(_entry, entries), *used}, UNSEEN.union(without))
    pins = read_pins(LOCK.read_text())
    if unpinned := packages - pins.keys():
        raise ValueError(f"{', '.join(sorted(unpinned))} imported but not pinned in {LOCK}")
    lines = sorted(f"{part.module} {part.name or ''} {text}" for part, text in texts.items() if text)
    lines += [f"{name}=={pins[name]}" for name in sorted(packages)]
    lines += [normalised(tree) for tree in outside]
    return digest_text("\n".join(lines))


def required_packages(*entries: str) -> set[str]:
    """Distributions that modules, and what they import from this package, import directly."""
    return _reach(set(map(_entry, entries)), frozenset())[1]


def installed_otherwise() -> str | None:
    """The packages that compute, and are installed in another version than a digest says; none if all agree.

    A digest states the versions of the lock file, whatever is installed.
    """
    steps = [f"{module}.{name}" for module in COMMANDS for name in _steps(module)]
    _, packages = _reach(set(map(_entry, steps)), UNSEEN)
    pins = read_pins(LOCK.read_text())
    found = {name: _installed(name) for name in sorted(packages & pins.keys())}
    differing = [
        f"{name} {there or 'missing'} ({pins[name]})" for name, there in found.items() if there != pins[name]
    ]
    if not differing:
        return None
    return (
        f"installed in other versions than {LOCK.name} names (in brackets): {', '.join(differing)}; results "
        "may differ from those of the locked versions, and no step re-runs for it"
    )


def read_pins(text: str) -> dict[str, str]:
    """Versions by normalised name of the lines ``name==version`` or ``name[extra]==version``."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def imports(source: str) -> frozenset[str]:
    """Dotted names that a module imports anywhere; ``from a import b`` yields ``a`` and ``a.b``."""
    found = list(_imported([_taken_apart(source).tree]))
    return frozenset(
        [one.module for one in found] + [f"{module}.{name}" for module, name in found if name is not None]
    )


def _installed(distribution: str) -> str | None:
    """The version that is installed, without the local part that names a build (``2.14.1+cpu``)."""
    try:
        return version(distribution).partition("+")[0]
    except PackageNotFoundError:
        return None


def _steps(module: str) -> list[str]:
    """Names of the functions behind the commands of a module."""
    unread = {name.replace("-", "_") for name in WITHOUT_DIGEST}
    return [name for name in _source(module).bindings if name[:1] == "_" and name[1:] not in unread]


def _function(step: str) -> str:
    name = "_" + step.replace("-", "_")
    for module in COMMANDS:
        if name in _source(module).bindings:
            return f"{module}.{name}"
    raise ValueError(f"there is no command {step}")


def _reach(waiting: set[_Part], unseen: frozenset[str]) -> tuple[dict[_Part, str], set[str]]:
    """Texts of the given parts and of all that they import, and the distributions that these import."""
    texts: dict[_Part, str] = {}
    packages: set[str] = set()
    while waiting:
        part = waiting.pop()
        if part in texts or part.module in unseen:
            continue
        texts[part], found, refers = _read(part)
        waiting |= refers | set(_parts(found))
        packages |= {one.module.partition(".")[0] for one in found}
    foreign = packages - {PACKAGE.name} - UNSEEN_PACKAGES - sys.stdlib_module_names
    return texts, {DISTRIBUTIONS.get(name, name.replace("_", "-").lower()) for name in foreign}


def _read(part: _Part) -> tuple[str, list[_Import], set[_Part]]:
    """A part's text, its imports, and the other parts of its module that it refers to.

    Of settings only methods count: their fields, with types, defaults and validators, say what a
    configuration may hold, and what it holds reaches a step as ``params``.
    """
    source = _source(part.module)
    if part.name is None:
        return source.text, list(_imported_by(source)), set()
    nodes: list[ast.AST] = []
    found: list[_Import] = []
    for statement in source.definition(part.name):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found += _bound_to(part.name, statement)
        elif isinstance(statement, ast.ClassDef) and _declares_settings(part.module, part.name):
            nodes.append(methods_alone(statement))
        else:
            nodes.append(statement)
    refers = {_Part(part.module, name) for name in source.mentioned(nodes)} - {part}
    return " ".join(map(normalised, nodes)), [*found, *_imported(nodes)], refers


def _declares_settings(module: str, name: str) -> bool:
    """Whether a name stands for a class of settings, in the end a ``BaseModel`` of pydantic."""
    if _file(module) is None:
        return (module, name) == ("pydantic", "BaseModel")
    for statement in _source(module).bindings.get(name, []):
        if isinstance(statement, ast.ClassDef):
            bases = [base.id for base in statement.bases if isinstance(base, ast.Name)]
            return any(_declares_settings(module, base) for base in bases)
        if isinstance(statement, ast.ImportFrom):
            return any(_declares_settings(one.module, one.name or "") for one in _bound_to(name, statement))
    return False


def _imported(nodes: Iterable[ast.AST]) -> Iterator[_Import]:
    """All imports below nodes, those inside functions included."""
    for node in (below for top in nodes for below in ast.walk(top)):
        if isinstance(node, ast.Import):
            yield from (_Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (_Import(node.module, alias.name) for alias in node.names)


def _bound_to(name: str, statement: ast.stmt) -> list[_Import]:
    """What one import statement gives a name."""
    found = zip(_imported([statement]), bound(statement), strict=True)
    return [one for one, given in found if given == name]


def _parts(found: Iterable[_Import]) -> Iterator[_Part]:
    """What of this package is imported."""
    for module, name in found:
        if _file(module) is None:
            continue
        inside = f"{module}.{name}"
        if name is not None and _file(inside) is not None:
            yield _Part(inside)
        if not module.startswith(BY_NAME):
            yield _Part(module)
        elif name in _source(module).bindings:
            yield _Part(module, name)
        elif name is None or _file(inside) is None:
            yield _Part(module)


def _entry(name: str) -> _Part:
    if _file(name) is not None:
        return _Part(name)
    module, _, inside = name.rpartition(".")
    if _file(module) is None or inside not in _source(module).bindings:
        raise ValueError(f"there is no module or definition {name}")
    return _Part(module, inside)


def _file(module: str) -> Path | None:
    """The source of a module of this package; none for foreign modules and for names inside a module."""
    first, *rest = module.split(".")
    if first != PACKAGE.name:
        return None
    path = PACKAGE.joinpath(*rest)
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _source(module: str) -> Source:
    file = _file(module)
    assert file is not None
    return _taken_apart(file.read_text())


_taken_apart = cache(Source)
"""By the text: every start of Snakemake asks for most files a dozen times."""


@cache
def _imported_by(source: Source) -> tuple[_Import, ...]:
    return tuple(_imported([source.tree]))
