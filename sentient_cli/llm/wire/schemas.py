"""JSON Schemas in the form in which vendors hold a model to them: less than the standard has, and stricter.

What is left out of a schema is checked by whoever reads the answer. What cannot be left out, since the answers would be
of another form, makes that a schema cannot be used so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sentient_cli.llm.schemas import resolved, rooted
from sentient_cli.llm.types import JsonValue

__all__ = ["SchemaRules", "narrowed"]

_NAMED: Final = frozenset({"properties", "$defs", "definitions"})
_STRUCTURE: Final = frozenset({"type", "description", "enum", "const", "required", "$ref", "items", "anyOf"}) | _NAMED
_OTHER_FORM: Final = frozenset({"patternProperties", "prefixItems"})
"""What says that answers have a form for which there is no word here."""


class SchemaRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor takes.

    Args:
        keywords: The keywords that it takes besides those of the structure.
        formats: The formats of texts that it takes.
        all_required: Whether every property has to be asked for.
        recursive: Whether a schema may have itself in it.
        typed_items: Whether a list has to say what is in it.
    """

    keywords: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    all_required: bool = False
    recursive: bool = True
    typed_items: bool = True


def narrowed(schema: Mapping[str, JsonValue], rules: SchemaRules) -> dict[str, JsonValue] | None:
    """A schema with every object closed and nothing in it that is not taken; None: there is none for these answers.

    Args:
        schema: Of an object.
        rules: What is taken.

    Example:
        >>> union = {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/A"}], "discriminator": {"propertyName": "kind"}}
        >>> told = narrowed({"type": "object", "properties": {"a": union}, "$defs": {"A": {"const": 1}}}, SchemaRules())
        >>> told["properties"]
        {'a': {'anyOf': [{'type': 'null'}, {'$ref': '#/$defs/A'}]}}
    """
    root = rooted(schema)
    if root.get("type", "object") != "object" or "$ref" in root:
        return None
    try:
        if not rules.recursive and any(_is_recursive(root, name) for name in _reached(root, root)):
            return None
        return _Narrower(root, rules).of(root)
    except (_OtherFormError, RecursionError):
        return None


class _OtherFormError(Exception):
    """What answers to this schema look like cannot be said."""


class _Narrower:
    def __init__(self, root: Mapping[str, JsonValue], rules: SchemaRules) -> None:
        self._root = root
        self._rules = rules

    def of(self, schema: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        schema = self._plain(schema)
        if schema.keys() & _OTHER_FORM or schema.get("additionalProperties"):
            raise _OtherFormError
        told: dict[str, JsonValue] = {}
        for key, value in schema.items():
            if self._is_taken(key, value):
                told["anyOf" if key == "oneOf" else key] = self._part(key, value)
        if not told.keys() & {"type", "enum", "const", "anyOf", "$ref", "properties"}:
            raise _OtherFormError  # anything at all
        self._check_values(schema)
        if schema.get("type") == "object" or "properties" in schema:
            self._close(told)
        if self._rules.typed_items and schema.get("type") == "array" and "items" not in told:
            raise _OtherFormError
        return told

    def _plain(self, schema: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
        """The same without what can be said more plainly: one choice of one, a reference with more beside it."""
        every = schema.get("allOf")
        if isinstance(every, list) and len(every) == 1 and isinstance(every[0], dict):
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            return self._plain({**every[0], **rest})
        if "allOf" in schema:
            raise _OtherFormError
        if "$ref" not in schema:
            return schema
        beside = {key: value for key, value in schema.items() if key not in {"$ref", "$defs", "definitions"}}
        needed = any(self._is_taken(key, value) for key, value in beside.items())
        if not needed or _is_recursive(self._root, schema["$ref"]):  # which has no end when it is written out
            return {"$ref": schema["$ref"]}
        target = resolved(self._root, schema["$ref"])
        if target is None:
            raise _OtherFormError
        return self._plain({**target, **beside})

    def _is_taken(self, key: str, value: JsonValue) -> bool:
        if key == "format":
            return value in self._rules.formats
        if key == "pattern" and isinstance(value, str) and "(?" in value:
            return False  # looks around, which nobody takes
        return key in _STRUCTURE or key == "oneOf" or key in self._rules.keywords

    def _check_values(self, schema: Mapping[str, JsonValue]) -> None:
        listed = schema.get("enum")
        values = [*(listed if isinstance(listed, list) else ()), schema.get("const")]
        if any(isinstance(value, dict | list) for value in values):
            raise _OtherFormError

    def _close(self, told: dict[str, JsonValue]) -> None:
        properties = told.get("properties")
        if not isinstance(properties, dict):
            raise _OtherFormError
        if self._rules.all_required:
            told["required"] = list(properties)
        told["additionalProperties"] = False

    def _part(self, key: str, value: JsonValue) -> JsonValue:
        if key in _NAMED and isinstance(value, dict):
            return {name: self._inner(item) for name, item in value.items()}
        if key in {"anyOf", "oneOf"} and isinstance(value, list):
            return [self._inner(item) for item in value]
        return self._inner(value) if key == "items" else value

    def _inner(self, value: JsonValue) -> JsonValue:
        if not isinstance(value, dict):
            raise _OtherFormError
        return self.of(value)


def _reached(root: Mapping[str, JsonValue], value: JsonValue) -> set[str]:
    """Every reference that a part of a schema leads to."""
    found: set[str] = set()
    left = [value]
    while left:
        for name in _references(left.pop()):
            if name not in found:
                found.add(name)
                left.append(resolved(root, name))
    return found


def _is_recursive(root: Mapping[str, JsonValue], reference: JsonValue) -> bool:
    """Whether what a reference leads to has itself in it."""
    return reference in _reached(root, resolved(root, reference))


def _references(value: JsonValue) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str):
                yield item
            elif key not in {"$defs", "definitions"}:
                yield from _references(item)
