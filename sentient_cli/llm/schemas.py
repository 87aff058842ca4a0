"""JSON Schemas as models are given them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sentient_cli.llm.types import JsonValue

__all__ = ["resolved", "rooted", "without_titles"]

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


def rooted(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A schema that is not only a reference: what a type that has itself in it comes to is one, and nobody takes that.

    Args:
        schema: A JSON Schema; its definitions stay.

    Example:
        >>> node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
        >>> rooted({"$ref": "#/$defs/Node", "$defs": {"Node": node}})["type"]
        'object'
    """
    told = dict(schema)
    seen: list[JsonValue] = []
    while "$ref" in told and told["$ref"] not in seen:
        seen.append(told["$ref"])
        target = resolved(schema, told["$ref"])
        if target is None:
            return dict(schema)
        del told["$ref"]
        told = {**target, **told}
    return told


def resolved(root: Mapping[str, JsonValue], reference: JsonValue) -> dict[str, JsonValue] | None:
    """What a reference within a schema leads to; None: nowhere in it.

    Args:
        root: The whole schema.
        reference: Such as ``#/$defs/City``.

    Example:
        >>> resolved({"$defs": {"A/B": {"type": "null"}}}, "#/$defs/A~1B")
        {'type': 'null'}
    """
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: JsonValue = dict(root)
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None
