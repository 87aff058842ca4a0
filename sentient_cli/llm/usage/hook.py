"""Makes rows of the ledger of what is told about calls."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from sentient_cli.clock import Clock, SystemClock
from sentient_cli.llm.hooks import CallRecord
from sentient_cli.llm.subject import current_subject
from sentient_cli.llm.types import JsonValue, Usage
from sentient_cli.llm.usage.rows import UsageRow, bounded, bounded_cost

__all__ = ["UsageHook", "UsageSink"]

_MOST_OPEN: Final = 100_000
_CONTENT: Final = frozenset({"text", "tool_call", "thinking", "refusal"})


class UsageSink(Protocol):
    """Takes what became of calls: the ledger, metrics, traces.

    Example:
        >>> from sentient_cli.llm import LLMManager, OfflineProvider
        >>> class Printed:
        ...     def add(self, row: UsageRow) -> None:
        ...         print(row.provider, row.outcome, row.input)
        >>> import asyncio
        >>> manager = LLMManager([OfflineProvider()], hooks=[UsageHook(Printed())])
        >>> _ = asyncio.run(manager.generate("Hello", model="offline:echo"))
        offline done 1
    """

    def add(self, row: UsageRow) -> None:
        """Take a row; returns at once and never fails."""
        ...


class _Open:
    """A call that goes on."""

    __slots__ = ("attempted", "error", "failed_at", "first_ms", "row", "usage")

    def __init__(self, row: UsageRow) -> None:
        self.row = row
        self.attempted = 0
        self.error: str | None = None
        self.failed_at: int | None = None
        self.first_ms: float | None = None
        self.usage = Usage()


class UsageHook:
    """Listens to calls and makes a row of each attempt.

    Args:
        sinks: Who gets the rows, such as a `UsageLedger`.
        profile: The profile of settings that is in use.
        clock: What the time is.

    Example:
        >>> import asyncio, tempfile
        >>> from pathlib import Path
        >>> from sentient_cli.llm import LLMManager, OfflineProvider, UsageLedger
        >>> async def main(folder: str) -> float:
        ...     ledger = UsageLedger(Path(folder, "usage.db"))
        ...     await LLMManager([OfflineProvider()], hooks=[UsageHook(ledger)]).generate("Hello", model="offline:echo")
        ...     spent = await ledger.spent(since=0)
        ...     await ledger.aclose()
        ...     return spent
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     asyncio.run(main(folder))
        0.0
    """

    def __init__(self, *sinks: UsageSink, profile: str = "default", clock: Clock | None = None) -> None:
        self._sinks = sinks
        self._profile = profile
        self._clock = clock or SystemClock()
        self._open: dict[str, _Open] = {}

    def on_record(self, record: CallRecord) -> None:
        """Take a record."""
        if record.kind == "llm.request":
            self._begin(record)
            return
        call = self._open.get(record.call)
        if call is None:
            return
        data = record.data
        if record.kind == "llm.chunks":
            if call.first_ms is None:
                call.first_ms = _first_content(data)
        elif record.kind == "llm.attempt":
            self._attempt(call, record)
        elif record.kind in {"llm.retry", "llm.failover"} or (record.kind == "llm.wait" and "error" in data):
            call.error, call.failed_at = _code(data), self._clock.now_ns()
        elif record.kind == "llm.usage":
            call.usage = msgspec.convert({name: data[name] for name in Usage.__struct_fields__ if name in data}, Usage)
        elif record.kind == "llm.finished":
            del self._open[record.call]
            self._finish(call, data)

    def _begin(self, record: CallRecord) -> None:
        if len(self._open) >= _MOST_OPEN:
            return
        subject = current_subject.get()
        self._open[record.call] = _Open(
            UsageRow(
                call=record.call,
                at=self._clock.now_ns(),
                provider=_text(record.data.get("provider")),
                model=_text(record.data.get("model")),
                agent=subject.agent,
                session=subject.session,
                query=subject.query,
                run=subject.run,
                tenant=subject.tenant,
                profile=self._profile,
                tier=_tier(record.data.get("parameters")),
            )
        )

    def _attempt(self, call: _Open, record: CallRecord) -> None:
        row = call.row
        if call.attempted:
            # One that nobody told the end of ended when this one began.
            ended = call.failed_at or self._clock.now_ns()
            failed = msgspec.structs.replace(row, final=False, outcome="failed", error=call.error, failed_at=ended)
            self._add(failed)
        call.attempted, call.error, call.failed_at = call.attempted + 1, None, None
        row.attempt = max(record.attempt, 1)
        row.provider = _text(record.data.get("provider")) or row.provider
        row.model = _text(record.data.get("model")) or row.model

    def _finish(self, call: _Open, data: dict[str, JsonValue]) -> None:
        row = call.row
        row.take(call.usage)
        row.outcome = _text(data.get("outcome")) or "done"
        row.provider = _text(data.get("provider")) or row.provider
        row.model = _text(data.get("model")) or row.model
        row.error = _code(data)
        row.tier = _text(data.get("tier")) or row.tier
        cost = data.get("cost")
        row.cost = bounded_cost(float(cost)) if isinstance(cost, int | float) and not isinstance(cost, bool) else None
        row.cached = data.get("cached") is True
        row.degraded = _text(data.get("degraded"))
        wasted = data.get("wasted")
        row.wasted = _tokens(wasted)
        row.estimated = row.estimated or (isinstance(wasted, dict) and wasted.get("estimated") is True)
        row.first_ms = call.first_ms
        row.total_ms = (self._clock.now_ns() - row.at) / 1e6
        if row.cached:
            row.cost = 0.0
        self._add(row)

    def _add(self, row: UsageRow) -> None:
        for sink in self._sinks:
            sink.add(row)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _tier(parameters: JsonValue) -> str | None:
    return _text(parameters.get("service_tier")) or None if isinstance(parameters, dict) else None


def _code(data: dict[str, JsonValue]) -> str | None:
    error = data.get("error")
    return _text(error.get("code")) or None if isinstance(error, dict) else None


def _tokens(value: JsonValue) -> int | None:
    if not isinstance(value, dict):
        return None
    kinds = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
    counts = [count for kind in kinds if isinstance(count := value.get(kind), int)]
    return bounded(sum(bounded(count) or 0 for count in counts)) if counts else None


def _first_content(data: dict[str, JsonValue]) -> float | None:
    """Milliseconds to the first piece that a reader sees."""
    chunks = data.get("chunks")
    for each in chunks if isinstance(chunks, list) else ():
        if isinstance(each, list) and isinstance(each[1], dict) and not _CONTENT.isdisjoint(each[1]):
            offset = each[0]
            return offset / 1000 if isinstance(offset, int) else None
    return None
