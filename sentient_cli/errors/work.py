"""What goes wrong while an agent works: its runs, its tools, the stores they are kept in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentient_cli.errors.base import SentientError, Told, faults_told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

__all__ = [
    "CursorError",
    "CursorExpiredError",
    "InvalidEventError",
    "LogSequenceError",
    "OverloadedError",
    "ResponseClosedError",
    "RunError",
    "RunNotFoundError",
    "RunOverflowError",
    "StateError",
    "StoreError",
    "ToolArgumentsError",
    "ToolDefinitionError",
    "ToolError",
    "ToolLimitError",
    "ToolResultError",
    "ToolTimeoutError",
    "VersionConflictError",
]


class RunError(SentientError, code="run"):
    """A run failed for a reason of its own."""


class ResponseClosedError(RunError, code="response-closed"):
    """Something was emitted after the response, or one of its streams, was complete."""


class InvalidEventError(RunError, code="invalid-event"):
    """An event cannot go on the wire: bad name, bad metadata, content that is no JSON."""


class RunOverflowError(RunError, code="run-overflow"):
    """A run that nobody reads wrote more than its log may hold."""


class RunNotFoundError(RunError, code="run-not-found"):
    """There is no run of this id, or it is no longer kept."""


class OverloadedError(RunError, code="overloaded"):
    """No further run is taken: as many as allowed are running, or the server is leaving."""


class ToolError(SentientError, code="tool"):
    """A tool did not do what it was asked. A tool raises it itself to tell the model why."""


class ToolDefinitionError(ToolError, code="tool-definition"):
    """A function cannot be a tool: a type hint is missing, its name is not allowed, or two tools share one."""


class ToolArgumentsError(ToolError, code="tool-arguments"):
    """The arguments of a tool call do not fit.

    Args:
        what: What happened.
        faults: What is wrong, by the path of each place, such as ``days[0].high``; a path may be empty.
        fix: What the reader can do.
    """

    def __init__(self, what: str, *, faults: Mapping[str, str], fix: str = "") -> None:
        super().__init__(what, why=faults_told(faults), fix=fix)
        self.faults: dict[str, str] = dict(faults)


class ToolResultError(ToolError, code="tool-result"):
    """What a tool returned cannot be written as JSON, so that a model could not read it."""


class ToolTimeoutError(ToolError, code="tool-timeout"):
    """A tool took longer than it may."""


class ToolLimitError(ToolError, code="tool-limit"):
    """A model went on asking for tools until it was asked as often as allowed."""


class StoreError(SentientError, code="store"):
    """A store could not do what it was asked."""


class StateError(StoreError, code="state"):
    """A value of a session's state does not fit the type of its key, or is too large to be kept."""


class VersionConflictError(StoreError, code="version-conflict"):
    """A row was changed by somebody else since it was read."""


class LogSequenceError(StoreError, code="log-sequence"):
    """Entries were appended that do not continue the log."""


class CursorError(StoreError, code="cursor"):
    """A cursor is not one of this log."""


class CursorExpiredError(CursorError, code="cursor-expired"):
    """The entries after this cursor are no longer kept.

    Args:
        what: What happened.
        first_seq: The first seq that can still be read.
        told: All that `SentientError` takes.
    """

    def __init__(self, what: str, *, first_seq: int, **told: Unpack[Told]) -> None:
        super().__init__(what, **told)
        self.first_seq = first_seq
