"""JSON Schemas as OpenAI holds models to them, and those who do it likewise.

Source: https://platform.openai.com/docs/guides/structured-outputs, under "Supported schemas".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sentient_cli.llm.types import JsonValue
from sentient_cli.llm.wire.schemas import SchemaRules, narrowed

__all__ = ["schema_name", "strict_schema"]

_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]")
_RULES: Final = SchemaRules(
    keywords=frozenset(
        {"pattern", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"}
    ),
    formats=frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}),
    all_required=True,
)


def schema_name(name: str) -> str:
    """A name with nothing in it that is not allowed there.

    Example:
        >>> schema_name("list[City]")
        'list_City_'
    """
    return _NOT_IN_NAMES.sub("_", name)[:64] or "answer"


def strict_schema(schema: Mapping[str, JsonValue]) -> dict[str, JsonValue] | None:
    """A schema that asks for every property and allows no other; None: there is none for these answers.

    Args:
        schema: A JSON Schema of an object.

    Example:
        >>> strict_schema({"type": "object", "properties": {"a": {"type": "integer", "default": 1}}})["required"]
        ['a']
        >>> strict_schema({"type": "object", "additionalProperties": {"type": "integer"}}) is None
        True
    """
    return narrowed(schema, _RULES)
