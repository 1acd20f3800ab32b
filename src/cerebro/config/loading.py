"""From merged YAML to a validated configuration, or to one sentence per fault; the JSON schema."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from cerebro.config.settings import hint
from cerebro.config.study import Config
from cerebro.errors import UserError

_NO_PHASES = (
    "there is no section phases, the trainings of the study, such as {tokenizer: {kind: tokenizer}}; "
    "`extends: challenge` takes those of the challenge, and `extends: FILE` those of a file"
)


def load_config(
    content: Mapping[str, Any], *, where: str = "configuration", context: str | None = None
) -> Config:
    """Validate merged YAML.

    Parameters
    ----------
    content : mapping
    where : str
        What is validated, to name it in the error.
    context : str, optional
        :data:`COMPARED` for a configuration whose submission nobody will package.

    Raises
    ------
    UserError
        One line per fault: the key, what is wrong with it, and the nearest valid key.
    """
    try:
        return Config.model_validate(content, context=context)
    except ValidationError as error:
        faults = [_describe(fault, where) for fault in error.errors()]
        raise UserError("; ".join(dict.fromkeys(faults))) from None


def _describe(fault: Any, where: str) -> str:
    path = list(fault["loc"])
    if path[:1] in (["phases"], ["labels"]):
        del path[2:3]  # pydantic inserts the union's tag after the name
    path = [part for part in path if part not in ("EncoderSettings", "BraindecodeSettings")]
    key = ".".join(str(part) for part in path)
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key '{key}'{hint(str(path[-1]), _known_keys(fault['loc']))}"
    if fault["type"] == "missing" and path == ["phases"]:
        return f"{where}: {_NO_PHASES}"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {key}: {message}" if key else f"{where}: {message}"


def _known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The valid keys beside an unknown one, found by walking the JSON schema along its location."""
    schema = Config.model_json_schema()
    node: dict[str, Any] = schema
    for part in loc[:-1]:
        if part in schema["$defs"]:  # a tag that is a model's name
            node = {"$ref": f"#/$defs/{part}"}
            continue
        node = _resolve(schema, node)
        if "discriminator" in node:
            node = _resolve(schema, {"$ref": node["discriminator"]["mapping"][part]})
            continue
        properties = node.get("properties", {})
        node = properties[part] if part in properties else node.get("additionalProperties", {})
    return list(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", []):
        if "$ref" in option:
            node = option
    reference = node.get("$ref")
    return schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else node


def config_schema() -> str:
    """The JSON schema of the configuration, as committed in ``workflow/schemas/config.schema.json``."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
