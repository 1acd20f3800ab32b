"""What all settings have in common."""

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
"""Names become parts of paths, arguments of commands, and parts of Snakemake's regular expressions."""


def _not_negative(seed: int) -> int:
    if seed < 0:
        raise ValueError(f"{seed} is no seed; random streams are numbered 0, 1, 2 ...")
    return seed


Seed = Annotated[int, AfterValidator(_not_negative), Field(json_schema_extra={"minimum": 0})]
"""The number of a random stream; numpy knows no negative ones."""


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys forbidden, field docstrings become descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _read_named(cls, data: Any) -> Any:
        """In mappings of named things names are checked, and entries that an overlay sets to null removed."""
        if not isinstance(data, Mapping):
            return data
        named = {key for key, field in cls.model_fields.items() if get_origin(field.annotation) is dict}
        return {
            key: _kept(key, value) if key in named and isinstance(value, Mapping) else value
            for key, value in data.items()
        }


def _kept(key: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    for name in map(str, entries):
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{key}: {name!r} can't be a name; names hold letters, digits, '_', '-' and '.', up to 100 "
                "of them, and begin with none of the last two"
            )
    kept = {name: entry for name, entry in entries.items() if entry is not None}
    if entries and not kept:  # a default would not come back, and nobody asked for nothing
        raise ValueError(
            f"{key}: null removes an entry that is written out, and none is left; write those to keep"
        )
    return kept


def hint(word: str, known: Mapping[str, Any] | list[str]) -> str:
    """The end of an error about an unknown word: the nearest known one, or all of them."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}"
