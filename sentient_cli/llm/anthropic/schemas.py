"""JSON Schemas as Anthropic holds models to them.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs. Objects must be closed, and limits of
numbers, lengths and patterns are not taken; whoever reads the answer checks those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sentient_cli.llm.types import JsonValue

__all__ = ["closed"]

_NAMED: Final = frozenset({"properties", "$defs", "definitions"})
_LISTED: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_KEPT: Final = frozenset(
    {"type", "description", "enum", "const", "default", "required", "$ref", "items", "format", *_NAMED, *_LISTED}
)
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


def closed(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """A schema with every object closed and without what is not taken; None: it has an object with names of any kind.

    Args:
        schema: Of an object.

    Example:
        >>> closed({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]})
        {'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'required': ['n'], 'additionalProperties': False}
        >>> closed({"type": "object", "additionalProperties": {"type": "integer"}}) is None
        True
    """
    try:
        return _closed(schema)
    except _OpenError:
        return None


class _OpenError(Exception):
    """An object of the schema may have properties of any name."""


def _closed(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    if schema.get("additionalProperties") or "patternProperties" in schema:
        raise _OpenError
    found: dict[str, JsonValue] = {}
    for key, value in schema.items():
        if key not in _KEPT or (key == "format" and value not in _FORMATS):
            continue
        found["anyOf" if key == "oneOf" else key] = _part(key, value)
    if found.get("type") == "object":
        if "properties" not in found:
            raise _OpenError
        found["additionalProperties"] = False
    return found


def _part(key: str, value: JsonValue) -> JsonValue:
    if key in _NAMED and isinstance(value, dict):
        return {name: _value(item) for name, item in value.items()}
    if key in _LISTED and isinstance(value, list):
        return [_value(item) for item in value]
    return _value(value) if key == "items" else value


def _value(value: JsonValue) -> JsonValue:
    if value is True:
        raise _OpenError
    return _closed(value) if isinstance(value, dict) else value
