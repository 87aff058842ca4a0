"""The body of ``POST /assist``, and what is said of a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from sentient_cli.runtime.request import RunRequest
from sentient_cli.server.answers import RequestError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["parse_request", "prepare"]

_MAX_FAULTS = 50
_MAX_ECHO = 200
_MAX_INT = 2**63


def prepare() -> None:
    """Make what reads requests, which the first one would wait for. Costs nothing a second time."""
    RunRequest.model_rebuild()


def parse_request(body: bytes) -> RunRequest:
    """Read a request.

    Raises:
        RequestError: 422, with what is wrong and where.
    """
    try:
        return RunRequest.model_validate_json(body)
    except ValidationError as error:
        raise RequestError(422, "invalid-request", _faults(error)) from None


def _faults(error: ValidationError) -> list[dict[str, object]]:
    return [_fault(fault) for fault in error.errors(include_url=False, include_context=False)[:_MAX_FAULTS]]


def _fault(fault: ErrorDetails) -> dict[str, object]:
    return {
        "type": fault["type"],
        "loc": ["body", *fault["loc"]],
        "msg": _cut(fault["msg"]),
        "input": _echo(fault["input"]),
    }


def _echo(value: object) -> object:
    """What was given, as far as it is short: an answer must not be larger than what it answers, nor take long."""
    match value:
        case str():
            return _cut(value)
        case bytes():
            return _cut(value[: 4 * _MAX_ECHO + 4].decode("utf-8", "replace"))
        case list():
            return []
        case bool() | float() | None:
            return value
        case int():
            return value if abs(value) < _MAX_INT else "…"
        case _:
            return {}


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_ECHO else text[: _MAX_ECHO - 1] + "…"
