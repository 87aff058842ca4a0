"""A call of a tool becomes the records ``tool.call`` and ``tool.result``."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass

import msgspec

from sentient_cli.errors import SentientError
from sentient_cli.llm.current import get_manager
from sentient_cli.llm.hooks import Recorder
from sentient_cli.llm.tools.results import as_jsonable
from sentient_cli.llm.types import JsonValue
from sentient_cli.redact import redactor

__all__ = ["Told", "recorded"]

_MAX_TEXT = 2000


@dataclass(slots=True)
class Told:
    """What a call came to, said by whoever made it.

    Args:
        result: What the tool returned.
    """

    result: object = None


@contextlib.contextmanager
def recorded(name: str, arguments: object, call: str | None, parent: str | None) -> Generator[Told]:
    """Tell the hooks of the current manager that a tool is called, and what came of it.

    Args:
        name: Of the tool.
        arguments: What it is called with.
        call: The id of the call; one is made otherwise.
        parent: The id of the call that this one is part of.
    """
    told = Told()
    recorder = get_manager().recorder(call, parent)
    if not recorder.enabled:
        yield told
        return
    recorder.tell("tool.call", {"name": name, "arguments": _readable(arguments)})
    try:
        yield told
    except Exception as error:
        _tell_end(recorder, name, "error", {"error": _described(error)})
        raise
    except BaseException:
        _tell_end(recorder, name, "cancelled", {})
        raise
    _tell_end(recorder, name, "done", {"result": as_jsonable(told.result)})


def _tell_end(recorder: Recorder, name: str, outcome: str, more: dict[str, JsonValue]) -> None:
    recorder.tell("tool.result", {"name": name, "outcome": outcome, "duration_ns": recorder.elapsed_ns, **more})


def _readable(arguments: object) -> JsonValue:
    if isinstance(arguments, str | bytes):
        try:
            value: JsonValue = msgspec.json.decode(arguments)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return arguments if isinstance(arguments, str) else arguments.decode(errors="replace")
        return value
    return as_jsonable(arguments)


def _described(error: Exception) -> JsonValue:
    if isinstance(error, SentientError):
        return {"code": error.code, "what": redactor.head(str(error), _MAX_TEXT)}
    try:
        said = redactor.head(str(error), _MAX_TEXT)
    except Exception:  # noqa: BLE001 - an exception whose own text cannot be had
        said = ""
    return {"code": type(error).__name__, "what": said}
