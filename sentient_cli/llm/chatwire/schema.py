"""JSON Schemas in the form that a vendor can hold a model to."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sentient_cli.llm.types import JsonValue

__all__ = ["schema_name", "strict_schema"]

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_UNTOLD = frozenset({"default", "title", "examples"})
_BY_NAME = frozenset({"properties", "$defs", "definitions"})


def schema_name(name: str) -> str:
    """A name with nothing in it that is not allowed there.

    Example:
        >>> schema_name("list[City]")
        'list_City_'
    """
    return _NOT_IN_NAMES.sub("_", name)[:64] or "answer"


def strict_schema(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """A schema that asks for every property and allows no other; None when it has objects with any names.

    Args:
        schema: A JSON Schema of an object.

    Example:
        >>> strict_schema({"type": "object", "properties": {"a": {"type": "integer", "default": 1}}})["required"]
        ['a']
        >>> strict_schema({"type": "object", "additionalProperties": {"type": "integer"}}) is None
        True
    """
    try:
        return _object(schema)
    except _OpenError:
        return None


class _OpenError(Exception):
    """An object may have any names."""


def _object(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    strict = {key: _value(key, value) for key, value in schema.items() if key not in _UNTOLD}
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        if not isinstance(properties, dict) or schema.get("additionalProperties") not in {None, False}:
            raise _OpenError
        strict["required"] = list(properties)
        strict["additionalProperties"] = False
    return strict


def _value(key: str, value: JsonValue) -> JsonValue:
    if key in _BY_NAME and isinstance(value, dict):
        return {name: _object(inner) if isinstance(inner, dict) else inner for name, inner in value.items()}
    if key in {"const", "enum"}:
        return value
    if isinstance(value, dict):
        return _object(value)
    return [_object(item) if isinstance(item, dict) else item for item in value] if isinstance(value, list) else value
