"""An entry: one thing that happened in a run."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

__all__ = ["ENTRY_TYPES", "Entry", "LogEntry"]

ENTRY_TYPES: Final = frozenset(
    {
        "run.started",
        "event",
        "llm.request",
        "llm.attempt",
        "llm.retry",
        "llm.failover",
        "llm.selection",
        "llm.restart",
        "llm.splice",
        "llm.wait",
        "llm.usage",
        "llm.finished",
        "llm.chunks",
        "tool.call",
        "tool.result",
        "experiment.exposed",
        "experiment.score",
        "experiment.outcome",
        "http.exchange",
        "log",
        "delivery",
        "run.finished",
    }
)
"""The types known today. Readers pass over others, so that the set can grow."""


class LogEntry(Protocol):
    """What can be read of an entry, however it is held."""

    @property
    def seq(self) -> int:
        """Counts from 1 without gaps in a run."""
        ...

    @property
    def at(self) -> int:
        """Nanoseconds since the epoch; never less than that of the entry before."""
        ...

    @property
    def type(self) -> str:
        """One of `ENTRY_TYPES`."""
        ...

    @property
    def data(self) -> bytes:
        """Compact JSON in UTF-8."""
        ...


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened in a run.

    Args:
        seq: Counts from 1 without gaps in a run.
        at: Nanoseconds since the epoch; never less than that of the entry before.
        type: One of `ENTRY_TYPES`.
        data: Compact JSON in UTF-8.

    Example:
        >>> Entry(1, 1_700_000_000_000_000_000, "run.started", b"{}").type
        'run.started'
    """

    seq: int
    at: int
    type: str
    data: bytes
