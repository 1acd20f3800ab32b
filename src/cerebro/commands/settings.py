"""Settings as a command gets them, JSON that a person may have typed: every part is there and valid."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cerebro.errors import UserError

if TYPE_CHECKING:
    from pydantic import ValidationError


def read_settings(content: Any, kind: Any) -> Any:
    """Validate all settings as one kind of settings.

    Raises
    ------
    UserError
        Naming the key and what is wrong with it.
    """
    return _validated("--settings", content, kind)


def read_sections(
    content: Any,
    sections: Mapping[str, Any],
    *,
    optional: Mapping[str, Any] | None = None,
    where: str = "--settings",
) -> dict[str, Any]:
    """Validate settings section by section.

    Parameters
    ----------
    content
        What was handed over.
    sections, optional
        The type of each section by its key; all must be there, and no others, but for the optional ones.
    where
        The argument that it came by.

    Returns
    -------
    dict
        The sections that are there, validated.

    Raises
    ------
    UserError
        Naming the key and what is wrong with it.
    """
    from cerebro.config.settings import hint

    types = {**sections, **(optional or {})}
    if not isinstance(content, Mapping):
        raise UserError(f"{where} must be a JSON object with {', '.join(sections)}")
    for key in sections:
        if key not in content:
            raise UserError(f"{where}: there is no '{key}'; needed: {', '.join(sections)}")
    for key in content:
        if key not in types:
            raise UserError(f"{where}: unknown key '{key}'{hint(key, types)}")
    return {key: _validated(f"{where}: {key}", content[key], types[key]) for key in content}


def _validated(where: str, content: Any, kind: Any) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise UserError(_sentence(where, error)) from None


def _sentence(where: str, error: "ValidationError") -> str:
    faults = [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        for fault in error.errors()
    ]
    return " ".join(f"{where}: {'; '.join(dict.fromkeys(faults))}".split())
