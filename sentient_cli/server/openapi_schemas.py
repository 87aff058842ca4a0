"""The schemas of what travels over HTTP, for the document of the interface."""

from __future__ import annotations

from typing import cast

import msgspec

from sentient_cli.runtime.events import Event
from sentient_cli.runtime.request import RunRequest

__all__ = ["component_schemas"]

Document = dict[str, object]

_REF = "#/components/schemas/{name}"


def _object(**properties: Document) -> Document:
    required = [name for name, schema in properties.items() if not schema.pop("optional", False)]
    return {"type": "object", "required": required, "properties": properties}


def component_schemas() -> Document:
    """The schemas that the document refers to, by name."""
    events, event_parts = msgspec.json.schema_components([Event], schema_hook=_any_json, ref_template=_REF)
    text: Document = {"type": "string"}
    known: Document = {"type": ["string", "null"]}
    integer: Document = {"type": "integer"}
    outcome: Document = {"enum": ["done", "error", "cancelled", "deadline", None]}
    fault = _object(
        type=dict(text),
        loc={"type": "array", "items": {"type": ["string", "integer"]}},
        msg=dict(text),
        input={"optional": True},
    )
    request = RunRequest.model_json_schema(ref_template=_REF.replace("{name}", "{model}"))
    parts: dict[str, dict[str, object]] = request.pop("$defs", {})
    _state_rules(parts, events[0])
    return {
        **event_parts,
        **parts,
        "RunRequest": request,
        "Error": _object(detail=dict(text), code=dict(text), first_seq={"type": "integer", "optional": True}),
        "InvalidRequest": _object(detail={"type": "array", "items": fault}, code=dict(text)),
        "Cancelled": _object(
            run=dict(text), status={"enum": ["cancelling", "finished", "interrupted"]}, outcome=outcome
        ),
        "Run": _object(
            run=dict(text),
            agent=dict(known),
            session=dict(known),
            query=dict(known),
            status={"enum": ["running", "finished", "interrupted"]},
            outcome=outcome,
            first_seq=dict(integer),
            last_seq=dict(integer),
        ),
        "Health": _object(status={"enum": ["ok", "starting", "draining"]}),
    }


def _any_json(kind: type) -> Document:
    return {"description": "Any JSON."} if kind is object else {"type": "string"}


def _state_rules(parts: dict[str, dict[str, object]], event: Document) -> None:
    """Make the schemas of earlier turns say what is checked, no more and no less."""
    cast("dict[str, object]", parts["ResponseMessage"]["properties"])["event"] = event
    parts["AssistRequest"]["dependentRequired"] = {"parent_request_id": ["root_request_id"]}
    for name in ("RequestMessage", "ResponseMessage"):
        _without_unique_items(parts[name])


def _without_unique_items(schema: object) -> None:
    """A set may be given with a value twice."""
    if isinstance(schema, dict):
        items = cast("dict[str, object]", schema)
        items.pop("uniqueItems", None)
        for value in items.values():
            _without_unique_items(value)
    elif isinstance(schema, list):
        for value in cast("list[object]", schema):
            _without_unique_items(value)
