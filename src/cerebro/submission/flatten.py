"""The submission's source files: what its entry imports from `cerebro.models`, beside it in one flat folder.

Modules are found by parsing imports, renamed ``cerebro.models.x`` to ``cerebro_x`` (a prefix, so that no
module of the scorer can be taken for one of ours) and are otherwise shipped as they are.
"""

import ast
import re
import sys
from pathlib import Path

import cerebro.models
from cerebro.errors import UserError

MODELS = "cerebro.models"
AVAILABLE = frozenset({"torch", "numpy"})
"""Packages that the scorer's machine has besides the standard library."""
BRAINDECODE = "braindecode_encoder"
"""The module that needs braindecode as well: shipped only with a network of braindecode."""


def flatten_sources(entry: Path, *, braindecode: bool = False) -> dict[str, str]:
    """Sources by file name: the entry under its own name, and every module it needs, transitively.

    Parameters
    ----------
    entry : Path
        ``submission.py``.
    braindecode : bool
        Whether a network of braindecode is part of the submission.

    Raises
    ------
    UserError
        When a module imports what the scorer's machine does not have, or imports from `cerebro.models` in
        a form other than ``from cerebro.models.x import ...``.
    """
    sources: dict[str, str] = {}
    waiting = [(entry.name, entry)]
    while waiting:
        name, path = waiting.pop()
        if name in sources:
            continue
        source, needed = _rewrite(path)
        sources[name] = source
        if not braindecode:
            needed = [module for module in needed if module != BRAINDECODE]
        waiting += [(f"{_flat(module)}.py", _models_folder() / f"{module}.py") for module in needed]
    return dict(sorted(sources.items()))


def _rewrite(path: Path) -> tuple[str, list[str]]:
    """A module's source with its imports flattened, and the modules of `cerebro.models` that it imports."""
    if not path.is_file():
        raise UserError(f"the submission needs {path}, which does not exist")
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    needed = []
    available = AVAILABLE | ({"braindecode"} if path.stem == BRAINDECODE else set())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            tops = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package, _, module = (node.module or "").rpartition(".")
            if package == MODELS and not node.level:
                needed.append(module)
                statement = rf"from\s+{re.escape(MODELS)}\.{module}\s+import"
                line = lines[node.lineno - 1]
                lines[node.lineno - 1] = re.sub(statement, f"from {_flat(module)} import", line, count=1)
                continue
            tops = {"." * node.level + (node.module or "").partition(".")[0]}
        else:
            continue
        if foreign := tops - available - sys.stdlib_module_names:
            raise UserError(
                f"{path.name}, line {node.lineno} imports {sorted(foreign)[0]}, which the challenge's scorer "
                f"does not have: a submission may use torch, numpy and `from {MODELS}.x import ...`"
            )
    return "".join(lines), needed


def _flat(module: str) -> str:
    return f"cerebro_{module}"


def _models_folder() -> Path:
    return Path(cerebro.models.__file__).parent
