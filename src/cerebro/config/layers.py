"""Layers of a configuration: `base.yaml`, the layers that a study extends, then the study's own files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cerebro.errors import UserError

DEMO = "demo"
"""The layer on which a configuration stands that names no datasets."""


def layers_below(
    content: Mapping[str, Any], shipped: Path, read: Callable[[Path], Mapping[str, Any]]
) -> list[Path]:
    """Return the files between `base.yaml` and a study's own, the lowest first.

    Parameters
    ----------
    content : mapping
        `base.yaml` with the study's own files on top, as YAML gives it; faulty content is left to validation.
    shipped : Path
        The folder of the layers that are shipped, which a name means.
    read : callable
        Reads one file.

    Raises
    ------
    UserError
        When `extends` names no layer and no file, or layers extend one another in a circle.
    """
    above = content.get("extends") or (None if content.get("datasets") else DEMO)
    found: list[Path] = []
    while above is not None:
        path = _layer(above, shipped)
        if path in found:
            raise UserError(f"{path}: extends comes back to this file; break the circle")
        found.insert(0, path)
        above = read(path).get("extends")
    return found


def _layer(name: Any, shipped: Path) -> Path:
    named = shipped / f"{name}.yaml"
    if isinstance(name, str) and "/" not in name and named.is_file():
        return named
    if isinstance(name, str) and Path(name).is_file():
        return Path(name)
    there = sorted(path.stem for path in shipped.glob("*.yaml") if path.stem != "base")
    raise UserError(f"extends: '{name}' is no file and no shipped layer; shipped are {', '.join(there)}")
