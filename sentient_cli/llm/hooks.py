"""What the LLM layer tells the rest of the program about its calls, and about those of tools.

The host turns records into the ``llm.*`` and ``tool.*`` entries of a run; metrics, tracing and usage listen here as
well. A hook can neither delay a call nor fail it.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from sentient_cli.clock import Clock
from sentient_cli.errors import SentientError
from sentient_cli.llm.types import Chunk, JsonValue

__all__ = ["CallHook", "CallRecord", "RecordKind", "Recorder", "as_json", "failure_as_json"]

RecordKind: TypeAlias = Literal[
    "llm.request",
    "llm.selection",
    "llm.attempt",
    "llm.retry",
    "llm.wait",
    "llm.failover",
    "llm.restart",
    "llm.splice",
    "llm.chunks",
    "llm.usage",
    "llm.finished",
    "tool.call",
    "tool.result",
]
"""What a record tells; the same words as the entry types of a run."""

BATCH_CHUNKS = 64
BATCH_SECONDS = 0.05

_logger = logging.getLogger(__name__)


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened in a call.

    Args:
        kind: What.
        call: The id of the call.
        attempt: The attempt that it belongs to, from 1; 0 before the first.
        parent: The call that this one is part of, if any.
        data: Depends on the kind; ``llm.chunks`` has ``{"chunks": [[offset, chunk], …]}`` with microseconds since the
            request.

    Example:
        >>> record = CallRecord(kind="llm.retry", call="01JS4F4Z5V0000000000000001", attempt=2, data={"after": 0.5})
        >>> record.kind, record.attempt, record.data["after"]
        ('llm.retry', 2, 0.5)
    """

    kind: RecordKind
    call: str
    attempt: int
    parent: str | None = None
    data: dict[str, JsonValue]


class CallHook(Protocol):
    """Listens to calls. It is called in the context of the call, on the event loop, so it must return at once.

    Example:
        >>> import asyncio
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> class Kinds:
        ...     def __init__(self) -> None:
        ...         self.seen: list[str] = []
        ...     def on_record(self, record: CallRecord) -> None:
        ...         self.seen.append(record.kind)
        >>> hook = Kinds()
        >>> _ = asyncio.run(LLMManager([OfflineProvider()], hooks=[hook]).generate("Hello", model="offline"))
        >>> hook.seen
        ['llm.request', 'llm.attempt', 'llm.chunks', 'llm.usage', 'llm.finished']
    """

    def on_record(self, record: CallRecord) -> None:
        """Take a record. What it raises is logged and goes no further."""
        ...


def as_json(value: object) -> JsonValue:
    """A structure as JSON holds it; unlike the library's, with lists for tuples."""
    return _listed(msgspec.to_builtins(value))


def _listed(value: JsonValue | tuple[JsonValue, ...]) -> JsonValue:
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return value


def failure_as_json(error: SentientError) -> JsonValue:
    """What records say of an error: its name for programs, and what happened."""
    return {"code": error.code, "what": error.what}


class Recorder(msgspec.Struct, eq=False):
    """Makes the records of one call and hands them to the hooks, with chunks in batches of at most 50 ms or 64.

    Args:
        hooks: Who listens; without any, recording costs nothing.
        clock: Gives the offsets.
        call: The id of the call.
        parent: The call that this one is part of.
    """

    hooks: Sequence[CallHook]
    clock: Clock
    call: str
    parent: str | None = None
    attempt: int = 0
    enabled: bool = False
    """Whether anybody listens."""
    began: int = 0
    context: contextvars.Context | None = None
    pending: list[tuple[int, Chunk]] = []
    timer: asyncio.TimerHandle | None = None
    is_over: bool = False
    """Whether it has told how the call ended."""
    heir: Recorder | None = None
    """Tells what comes after that: of a call that ended for one reader, and goes on for another."""

    def __post_init__(self) -> None:
        if self.hooks:
            self.enabled, self.began, self.context = True, self.clock.now_ns(), contextvars.copy_context()

    @property
    def elapsed_ns(self) -> int:
        """Nanoseconds since it was made, if anybody listens."""
        return self.clock.now_ns() - self.began

    def begin(self) -> None:
        """The call begins only now: offsets count from here."""
        if self.hooks:
            self.began = self.clock.now_ns()

    def chunk(self, chunk: Chunk) -> None:
        """Take a chunk; it is told with its batch."""
        if not self.hooks:
            return
        self.pending.append(((self.clock.now_ns() - self.began) // 1000, chunk))
        if len(self.pending) >= BATCH_CHUNKS:
            self.flush()
        elif self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(BATCH_SECONDS, self.flush)

    def flush(self) -> None:
        """Tell the chunks that wait."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.pending:
            pending, self.pending = self.pending, []
            chunks: list[JsonValue] = [[offset, msgspec.to_builtins(chunk)] for offset, chunk in pending]
            self._tell("llm.chunks", {"chunks": chunks})

    def tell(self, kind: RecordKind, data: dict[str, JsonValue]) -> None:
        """Tell something, after the chunks that came before it."""
        if not self.hooks:
            return
        if self.is_over and self.heir is not None:
            self.heir.attempt = self.attempt
            self.heir.tell(kind, data)
            return
        self.flush()
        self._tell(kind, data)
        self.is_over = self.is_over or kind == "llm.finished"

    def _tell(self, kind: RecordKind, data: dict[str, JsonValue]) -> None:
        context = self.context
        if context is None:
            return
        record = CallRecord(kind=kind, call=self.call, attempt=self.attempt, parent=self.parent, data=data)
        for hook in self.hooks:
            try:
                # A stream that was dropped is closed in a foreign context: its records still belong to its own run.
                context.run(hook.on_record, record)
            except Exception:
                _logger.warning("A hook failed on a record of kind %s", kind, exc_info=True)
