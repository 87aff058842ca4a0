"""JSON Schemas as models are given them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentient_cli.llm.types import JsonValue

__all__ = ["without_titles"]

_BY_NAME = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_VALUES = frozenset({"default", "const", "enum", "examples"})


def without_titles(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A copy without the titles, which repeat the names and cost tokens.

    Args:
        schema: A JSON Schema; what it says about a property called ``title`` stays.

    Example:
        >>> without_titles({"title": "A", "properties": {"title": {"title": "Title", "type": "string"}}})
        {'properties': {'title': {'type': 'string'}}}
    """
    return {
        key: _named(value) if key in _BY_NAME else value if key in _VALUES else _schema(value)
        for key, value in schema.items()
        if key != "title"
    }


def _schema(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return without_titles(value)
    return [_schema(item) for item in value] if isinstance(value, list) else value


def _named(value: JsonValue) -> JsonValue:
    return {name: _schema(item) for name, item in value.items()} if isinstance(value, dict) else value
