"""The categories of events, and the JSON Schema of the lines of each. What is in one version never changes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sentient_cli.audit.line import LONGEST, NAME, VERSION
from sentient_cli.errors import UsageError

__all__ = ["CATEGORIES", "schema_of"]

CATEGORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "audit": "What befell the log itself: it began, was repaired after a crash, had lines without a signature.",
        "config": "Settings that were changed; the subject is the name of the setting.",
        "credential": "Credentials that were stored, resolved, rotated, moved or removed; the subject is profile/name.",
        "security": "What a server refused, and what weakens one; the subject is its address, or a setting.",
    }
)
"""Each category and what it is for. A new one is a line here."""

_HASH: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NAME: Final = {"type": "string", "pattern": f"^{NAME}$"}
_WHOLE: Final = {"type": "integer", "minimum": 0}
_OWN_DATA: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "began": {"id": {"type": "string", "pattern": "^[0-9a-f]{32}$"}},
        "repaired": {"bytes": _WHOLE, "lines": _WHOLE, "sha256": _HASH},
        "unsigned": {"first": _WHOLE, "last": _WHOLE},
    }
)


def schema_of(category: str) -> dict[str, object]:
    """The JSON Schema (2020-12) of the lines of one category.

    Raises:
        UsageError: there is no such category.

    Example:
        >>> schema_of("credential")["$id"]
        'urn:sentient:audit:credential:1'
    """
    if category not in CATEGORIES:
        raise UsageError(f"There is no category {category!r}", fix=f"Take one of {', '.join(CATEGORIES)}")
    properties: dict[str, object] = {
        "v": {"const": VERSION, "description": "The version of this schema."},
        "seq": {"type": "integer", "minimum": 1, "description": "The number of the line, from 1."},
        "at": {"type": "integer", "description": "Nanoseconds since the epoch, by the clock of the machine."},
        "category": {"const": category},
        "action": {**_NAME, "description": "What was done."},
        "subject": {"type": "string", "description": "What it was done to."},
        "data": _data(),
        "actor": _object({"user": _text(), "host": _text(), "uid": {"type": "integer"}}, ["user", "host"]),
        "process": _object({"pid": {"type": "integer"}, "program": _text()}, ["pid", "program"]),
        "prev": {**_HASH, "description": "The hash of the line before; zeros in the first."},
        "hash": {**_HASH, "description": "The SHA-256 of this line without this field."},
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:sentient:audit:{category}:{VERSION}",
        "title": f"A line of the audit log: {category}",
        "description": CATEGORIES[category],
        "$comment": f"A line has at most {LONGEST} bytes.",
        **_object(properties, sorted(properties)),
    }
    return {**schema, "oneOf": _own_actions()} if category == "audit" else schema


def _text() -> dict[str, object]:
    return {"type": "string"}


def _object(properties: Mapping[str, object], required: list[str]) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _data() -> dict[str, object]:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME}$"},
        "additionalProperties": {"type": ["string", "integer"]},
        "description": "Short texts and whole numbers; never the value of a secret.",
    }


def _own_actions() -> list[dict[str, object]]:
    return [
        {"properties": {"action": {"const": action}, "data": _object(data, sorted(data))}}
        for action, data in _OWN_DATA.items()
    ]
