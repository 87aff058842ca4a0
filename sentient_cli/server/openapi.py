"""The description of the HTTP interface, in OpenAPI 3.1."""

from __future__ import annotations

from typing import cast

import sentient_cli
from sentient_cli.server.openapi_schemas import component_schemas

__all__ = ["openapi_document"]

Document = dict[str, object]

_RUN_ID: Document = {
    "name": "run_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The `Sentient-Run-Id` of the answer to `POST /assist`. Whoever has it may read the run.",
}
_AFTER: Document = {
    "name": "after",
    "in": "query",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    "description": "The id of the last event that the client has; the `Last-Event-ID` header wins.",
}
_LAST_EVENT_ID: Document = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    "description": "The id of the last event that the client has.",
}


def _json(description: str, schema: Document) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _error(description: str) -> Document:
    return _json(description, _ref("Error"))


def _sse(description: str) -> Document:
    headers = {
        "Sentient-Run-Id": {"schema": {"type": "string"}, "description": "The id of the run."},
        "Content-Location": {"schema": {"type": "string"}, "description": "Where the run can be watched and resumed."},
    }
    text: Document = {"type": "string"}
    event: Document = {
        "type": "object",
        "required": ["data"],
        "properties": {"id": text, "event": text, "data": text},
        "description": "One event of the stream; `data` is the JSON of a Sentient Chat event.",
    }
    content = {"text/event-stream": {"schema": event}}
    return {"description": description, "headers": headers, "content": content}


_NO_RUN = _error("There is no such run.")
_COMMON: Document = {"403": _error("The Host or the Origin is not allowed."), "500": _error("The server failed.")}


def _operation(
    name: str, tag: str, summary: str, responses: Document, parameters: list[Document] | None = None
) -> Document:
    operation: Document = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {**responses, **_COMMON},
    }
    if parameters:
        operation["parameters"] = parameters
    return operation


def _assist() -> Document:
    operation = _operation(
        "assist",
        "runs",
        "Ask the agent, and stream its answer as Sentient Chat events",
        {
            "200": {**_sse("The events of the run, to its end."), "links": _links()},
            "400": _error("The request is not understood."),
            "408": _error("The body came too slowly."),
            "413": _error("The body is too large."),
            "415": _error("The body is not JSON, or is compressed."),
            "422": _json("The body is not a request.", _ref("InvalidRequest")),
            "503": _error("No further run is taken for now."),
        },
    )
    operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref("RunRequest")}}}
    return operation


def _links() -> Document:
    """What can be done with a run once it has an id."""
    run_id: Document = {"run_id": "$response.header.Sentient-Run-Id"}
    cursors: Document = {**run_id, "after": "1", "header.Last-Event-ID": "1"}
    return {
        "show": {"operationId": "showRun", "parameters": run_id},
        "watch": {"operationId": "watchRun", "parameters": cursors},
        "cancel": {"operationId": "cancelRun", "parameters": run_id},
    }


def _watch_run() -> Document:
    return _operation(
        "watchRun",
        "runs",
        "Stream the events of a run from a cursor on, then live",
        {
            "200": _sse("The events after the cursor."),
            "204": {"description": "There is nothing after the cursor, and the run has ended or was interrupted."},
            "400": _error("The cursor is no event of this run."),
            "404": _NO_RUN,
            "410": _error("The events after the cursor are no longer kept; `first_seq` says what is."),
        },
        [_RUN_ID, _AFTER, _LAST_EVENT_ID],
    )


def _cancel_run() -> Document:
    responses: Document = {
        "200": _json("It had ended already.", _ref("Cancelled")),
        "202": _json("It is ending.", _ref("Cancelled")),
        "404": _NO_RUN,
        "409": _error("Another server runs it."),
    }
    return _operation("cancelRun", "runs", "End a run", responses, [_RUN_ID])


def _show_run() -> Document:
    responses: Document = {"200": _json("The run.", _ref("Run")), "404": _NO_RUN}
    return _operation("showRun", "runs", "Where a run stands", responses, [_RUN_ID])


def _openapi() -> Document:
    return _operation("openapi", "meta", "This document", {"200": _json("The document.", {"type": "object"})})


def _paths() -> Document:
    return {
        "/assist": {"post": _assist()},
        "/runs/{run_id}": {"get": _show_run()},
        "/runs/{run_id}/events": {"get": _watch_run()},
        "/runs/{run_id}/cancel": {"post": _cancel_run()},
        "/health": {"get": _health("health", "Everything that is known of the server's health")},
        "/health/live": {"get": _health("live", "Whether the process answers")},
        "/health/ready": {"get": _health("ready", "Whether new runs are welcome")},
        "/health/startup": {"get": _health("startup", "Whether the agent is set up")},
        "/openapi.json": {"get": _openapi()},
    }


def _health(name: str, summary: str) -> Document:
    responses: Document = {"200": _json("Yes.", _ref("Health")), "503": _json("No.", _ref("Health"))}
    return _operation(name, "health", summary, responses)


def openapi_document(*, secured: bool) -> Document:
    """The document.

    Args:
        secured: Whether a token is required.
    """
    components: Document = {"schemas": component_schemas()}
    document: Document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Sentient agent",
            "version": sentient_cli.__version__,
            "description": "One agent behind the Sentient Chat protocol.",
        },
        "paths": _paths(),
        "components": components,
    }
    if secured:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        for path, methods in _paths_of(document).items():
            for operation in methods.values():
                if path in {"/health/live", "/health/ready", "/health/startup"}:
                    operation["security"] = []
                else:
                    cast("Document", operation["responses"])["401"] = _error("A valid token is needed.")
    return document


def _paths_of(document: Document) -> dict[str, dict[str, dict[str, object]]]:
    return cast("dict[str, dict[str, dict[str, object]]]", document["paths"])
