"""The JSON Schema of settings files, made of the types of the settings, for editors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from typing_extensions import override

from sentient_cli.config.described import describe
from sentient_cli.config.keys import open_tables
from sentient_cli.config.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import core_schema

__all__ = ["SchemaKind", "settings_schema"]

SchemaKind: TypeAlias = Literal["project", "user", "pyproject"]
"""Whose file a schema is for: ``sentient.toml``, the user's ``config.toml``, ``pyproject.toml``."""

_Node: TypeAlias = dict[str, object]

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_REFERENCE: Final = "#/definitions/"
_OF_PRESETS: Final = frozenset({"llm.presets.x.metadata", "llm.presets.x.extra"})
_ENTRY: Final = r"^[A-Za-z0-9_-]{1,80}$"
_LIMITS: Final = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_USERS: Final = ("audit",)
_CHECKED: Final[Mapping[str, _Node]] = {
    "_check_url": {"pattern": r"^https?://\S*$"},
    "_check_variable": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "_check_word": {"pattern": r"\S", "maxLength": 200},
    "_check_name": {"pattern": _ENTRY},
    "_check_metric": {"pattern": r"^(errors|latency|tokens|cost|score\.[A-Za-z0-9_-]{1,80})$"},
    "_once": {"uniqueItems": True},
    "check_host": {"pattern": r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$"},
    "check_origin": {
        "pattern": r"^(\*|[Nn][Uu][Ll][Ll]"
        r"|[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?)$"
    },
}
"""What the checks of strings and lists that the generator does not know come to."""


def settings_schema(kind: SchemaKind = "project") -> Mapping[str, object]:
    """The JSON Schema, draft 7, of a settings file.

    What it accepts, is accepted, but for what no schema can say: that a profile exists, or an expression compiles.

    Args:
        kind: Whose file.

    Example:
        >>> schema = settings_schema()
        >>> schema["properties"]["server"], schema["definitions"]["ServerSettings"]["properties"]["port"]["maximum"]
        ({'$ref': '#/definitions/ServerSettings'}, 65535)
    """
    template = _REFERENCE + "{model}"
    made = cast("_Node", _tidied(Settings.model_json_schema(schema_generator=_Generator, ref_template=template)))
    definitions = cast("dict[str, _Node]", made.pop("$defs"))
    _complete(made, "", definitions, set())
    own = cast("_Node", made["properties"])
    if kind != "user":
        own = {name: node for name, node in own.items() if name not in _USERS}
    definitions["Profile"] = {
        "type": "object",
        "description": "Settings that are laid over the others when this profile is chosen.",
        "properties": {name: node for name, node in own.items() if name != "profile"},
        "additionalProperties": False,
    }
    own["profile"] = _profiles(cast("_Node", own["profile"]))
    table: _Node = {
        "type": "object",
        "description": "Settings of sentient: agents and the models that they use.",
        "properties": own,
        "additionalProperties": False,
    }
    return {"$schema": _DRAFT, "title": _title(kind), **_placed(table, kind), "definitions": definitions}


def _title(kind: SchemaKind) -> str:
    return {"project": "sentient.toml", "user": "config.toml of sentient", "pyproject": "pyproject.toml"}[kind]


def _placed(table: _Node, kind: SchemaKind) -> _Node:
    if kind != "pyproject":
        return table
    tool: _Node = {"type": "object", "properties": {"sentient": table}}
    return {"type": "object", "properties": {"tool": tool}}


def _profiles(chosen: _Node) -> _Node:
    named: _Node = {
        "type": "object",
        "description": "Profiles, by name.",
        "additionalProperties": {"$ref": _REFERENCE + "Profile"},
    }
    return {"description": chosen.get("description", ""), "anyOf": [chosen, named]}


class _Generator(GenerateJsonSchema):
    """Knows our types, and what our checks come to."""

    @override
    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        return {"type": "string", "minLength": 1}  # a secret in a file is text

    @override
    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        name = getattr(cast("object", schema["function"]["function"]), "__name__", "")
        return {**super().function_after_schema(schema), **_CHECKED.get(name, {})}

    @override
    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        made = super().function_before_schema(schema)
        if getattr(cast("object", schema["function"]["function"]), "__name__", "") == "_listed":
            return {"anyOf": [made["items"], made]}
        return made


def _complete(node: _Node, path: str, definitions: Mapping[str, _Node], seen: set[str]) -> None:
    """Say what numbers count, and which names a table takes whose keys everyone chooses."""
    for name, field in cast("dict[str, _Node]", node.get("properties", {})).items():
        key = f"{path}{name}"
        setting = describe(key)
        if setting is not None and setting.unit and "description" in field:
            field["description"] = f"{str(field['description']).rstrip('.')}. In {setting.unit}."
        entries = cast("_Node", field.get("additionalProperties") or {})
        for referred, inner in ((field, f"{key}."), (entries, f"{key}.x.")):
            found = str(referred.get("$ref", "")).removeprefix(_REFERENCE)
            if found in definitions and found not in seen:
                seen.add(found)
                _complete(definitions[found], inner, definitions, seen)
        if key in open_tables() or key in _OF_PRESETS:
            field["patternProperties"] = {_ENTRY: field.pop("additionalProperties", {})}
            field["additionalProperties"] = False


def _tidied(node: object) -> object:
    """Without what is noise in an editor: generated titles, null, which TOML has not, and defaults of whole tables."""
    if isinstance(node, list):
        return [_tidied(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    kept = {name: item for name, item in cast("_Node", node).items() if not _is_noise(name, item, cast("_Node", node))}
    options = kept.get("anyOf")
    if isinstance(options, list):
        kept.pop("anyOf")
        kept = {**_any_of(cast("list[object]", options)), **kept}
    if isinstance(kept.get("description"), str):
        kept["description"] = _plain(str(kept["description"]))
    named = {"properties", "$defs", "patternProperties"}
    return {
        _LIMITS.get(name, name): {key: _tidied(inner) for key, inner in cast("_Node", item).items()}
        if name in named
        else _tidied(item)
        for name, item in kept.items()
    }


def _is_noise(name: str, item: object, node: _Node) -> bool:
    if name == "default":
        return item is None or isinstance(item, dict) or item == [] or "$ref" in node
    return name == "title" and isinstance(item, str)


def _any_of(options: list[object]) -> _Node:
    kept: list[object] = []
    for option in options:
        if option != {"type": "null"} and option not in kept:
            kept.append(option)
    return cast("_Node", kept[0]) if len(kept) == 1 else {"anyOf": kept}


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.partition("\n\n")[0]).replace("``", "`")
