"""What a run says when its agent fails: everything to the operator, a reference id to the client."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from types import FrameType, TracebackType
from typing import Protocol, cast

import msgspec

from sentient_cli.errors import RunOverflowError
from sentient_cli.redact import redactor
from sentient_cli.runtime.loading.frames import is_user_file, user_frames

__all__ = ["Failure", "describe_failure", "forget_frames", "report_late"]

_MAX_TEXT = 2000
_logger = logging.getLogger(__name__)


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def agent_name(self) -> str: ...


class Failure(msgspec.Struct, frozen=True):
    """What the client is told."""

    message: str
    code: int = 500
    details: dict[str, object] = msgspec.field(default_factory=dict[str, object])


def describe_failure(
    run: _Named, error: BaseException, when: str = "", *, reference: str, show: bool = False
) -> Failure:
    """Log the failure of a run's agent, and return what its client is told.

    Args:
        run: The run.
        error: What the agent raised.
        when: A circumstance for the log, such as "after the response was complete".
        reference: What both are told, to find one from the other.
        show: Whether the client is told the exception's text.
    """
    frames = _frames(error)
    told = f"The agent {run.agent_name!r} failed{' ' + when if when else ''} (reference {reference})"
    with contextlib.suppress(Exception):  # a handler of the agent's own must not keep the run from its end
        _logger.error("%s\n%s", told, frames, extra={"run_id": run.id, "reference": reference})
    details: dict[str, object] = {"reference": reference}
    if isinstance(error, RunOverflowError):
        return Failure("The agent wrote more than its log can hold", 500, details)
    if not show:
        return Failure(f"The agent failed. Reference: {reference}", 500, details)
    summary = _frames(error).rpartition("\n")[2]
    return Failure(redactor.head(summary, _MAX_TEXT), 500, {**details, "type": type(error).__name__, **_place(error)})


def report_late(run: _Named) -> None:
    """Log that a run's agent emits after the end, with the line of its code that does, when it can be told.

    Args:
        run: The run.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - traceback.walk_stack would start here too, at a higher price
    while frame is not None and not is_user_file(frame.f_code.co_filename):
        frame = frame.f_back
    place = f" at {frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""
    told = "The agent %r emitted%s after the end of its response; that and what follows is not sent"
    with contextlib.suppress(Exception):
        _logger.warning(told, run.agent_name, place, extra={"run_id": run.id})


def forget_frames(error: BaseException) -> None:
    """Let go of the variables that an exception holds through the frames it passed, and those it came from.

    Args:
        error: An exception whose traceback is not needed any more beyond its lines.
    """
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        waiting += [origin for origin in (one.__cause__, one.__context__) if origin is not None]
        if isinstance(one, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", one).exceptions


def _frames(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, _from_own_code(error.__traceback__))).rstrip()
    except Exception as broken:  # noqa: BLE001 - an exception whose own text cannot be had
        return f"{type(error).__name__} (its text cannot be had: {type(broken).__name__})"


def _from_own_code(trace: TracebackType | None) -> TracebackType | None:
    """A traceback without what called the agent; all of it where it has no code of the user's."""
    own = trace
    while own is not None and not is_user_file(own.tb_frame.f_code.co_filename):
        own = own.tb_next
    return own or trace


def _place(error: BaseException) -> dict[str, object]:
    """Where the user's own code failed, or called what did."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return {}
    last = next(iter(user_frames(error)), frames[-1])
    return {"file": last.filename, "line": last.lineno or 0, "code": (last.line or "").strip()}
