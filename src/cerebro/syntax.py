"""Python source as text that names what it does, and nothing of how it is written.

Comments, docstrings and formatting are no part of it. Nor is the version of Python that reads the source:
fields that only some versions know are left out (``ast.dump`` prints them, and another version would have
rebuilt everything).
"""

import ast
from collections.abc import Iterable
from functools import cached_property

_SAYS_NOTHING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields that repeat what their place says, or that only a type checker reads."""


def normalised(node: ast.AST) -> str:
    """The node as text: its class and fields, by name; what is empty is left out."""
    fields = {name: value for name, value in ast.iter_fields(node) if name not in _SAYS_NOTHING}
    if isinstance(node, ast.JoinedStr):
        fields["values"] = _joined(node.values)
    elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        fields["body"] = [part for part in node.body if not is_text(part)]
    written = (
        f"{name}={_value(value)}"
        for name, value in sorted(fields.items())
        if value is not None and value != []
    )
    return f"{type(node).__name__}({', '.join(written)})"


def is_text(statement: ast.stmt) -> bool:
    """Whether a statement is a bare string: a docstring of a module, class, function or attribute."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _value(value: object) -> str:
    if isinstance(value, ast.AST):
        return normalised(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return ascii(value)  # of letters beyond ASCII, each version of Python knows others as printable


def _joined(parts: Iterable[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string, with neighbouring texts as one and empty ones left out."""
    joined: list[ast.expr] = []
    for part in parts:
        text = part.value if isinstance(part, ast.Constant) else None
        last = joined[-1] if joined else None
        if text == "":
            continue
        if isinstance(text, str) and isinstance(last, ast.Constant) and isinstance(last.value, str):
            joined[-1] = ast.Constant(last.value + text)
        else:
            joined.append(part)
    return joined


class Source:
    """A module, taken apart into what it defines at its top.

    Attributes
    ----------
    tree : Module
    bindings : dict of str to list of statements
        By name, the statements that give it its value.

    Parameters
    ----------
    text : str
        The source.
    """

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.bindings: dict[str, list[ast.stmt]] = {}
        self._always: list[ast.stmt] = []
        for statement in self.tree.body:
            names = bound(statement)
            for name in names:
                self.bindings.setdefault(name, []).append(statement)
            if not names and not is_text(statement):
                self._always.append(statement)

    @cached_property
    def text(self) -> str:
        """The whole module, normalised."""
        return normalised(self.tree)

    def definition(self, name: str) -> list[ast.stmt]:
        """The statements behind a name; those that bind none, such as loops, stand behind every name."""
        return [*self.bindings[name], *self._always]

    def mentioned(self, nodes: Iterable[ast.AST]) -> set[str]:
        """Names of this module that stand anywhere in nodes."""
        names = {below.id for node in nodes for below in ast.walk(node) if isinstance(below, ast.Name)}
        return names & self.bindings.keys()


def methods_alone(definition: ast.ClassDef) -> ast.ClassDef:
    """A class of settings without its fields, their docstrings and their validators."""
    kept: list[ast.stmt] = [
        part for part in definition.body if isinstance(part, ast.FunctionDef) and not _validates(part)
    ]
    return ast.ClassDef(definition.name, definition.bases, [], kept, [])


def _validates(method: ast.FunctionDef) -> bool:
    names = (
        below.id for part in method.decorator_list for below in ast.walk(part) if isinstance(below, ast.Name)
    )
    return any(name.endswith("_validator") for name in names)


def bound(statement: ast.stmt) -> list[str]:
    """Names to which a statement gives a value."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Import(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name for alias in aliases]
        case ast.Assign(targets=targets):
            return [name for target in targets for name in _names(target)]
        case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return _names(target)
    return []


def _names(target: ast.expr) -> list[str]:
    """Names that an assignment binds; of ``table["key"] = ...`` none."""
    match target:
        case ast.Name(id=name):
            return [name]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [name for part in parts for name in _names(part)]
        case ast.Starred(value=part):
            return _names(part)
    return []
