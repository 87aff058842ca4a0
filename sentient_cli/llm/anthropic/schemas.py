"""JSON Schemas as Anthropic holds models to them.

Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs. Objects must be closed, no
schema may have itself in it, and limits of numbers, lengths and patterns are not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.schemas import SchemaRules, narrowed

__all__ = ["closed"]

_RULES: Final = SchemaRules(
    keywords=frozenset({"default"}),
    formats=frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}),
    recursive=False,
    typed_items=False,
)


def closed(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """A schema with every object closed and without what is not taken; None: there is none for these answers.

    Args:
        schema: Of an object.

    Example:
        >>> closed({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]})
        {'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'required': ['n'], 'additionalProperties': False}
        >>> closed({"type": "object", "additionalProperties": {"type": "integer"}}) is None
        True
    """
    return narrowed(schema, _RULES)
