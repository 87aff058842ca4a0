"""Stores in the memory of one process: for tests, and where nothing is to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice

from sentient_cli.store.entry import Entry
from sentient_cli.store.hints import Hints
from sentient_cli.store.ports import KeptRow, KeptRun, LogHead, Row
from sentient_cli.store.rules import (
    advance,
    check_append,
    check_cursor,
    check_key,
    check_run_id,
    closed_error,
    version_conflict,
)

__all__ = ["MemoryEventLog", "MemoryStateStore"]


class _Log:
    __slots__ = ("entries", "head", "last_at")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.head: LogHead | None = None
        self.last_at = 0


class MemoryEventLog:
    """An `EventLog` in memory. For one thread.

    Example:
        >>> import asyncio
        >>> async def main() -> list[Entry]:
        ...     log = MemoryEventLog()
        ...     await log.append("0f3c", [Entry(1, 0, "run.started", b"{}")])
        ...     return await log.read("0f3c")
        >>> asyncio.run(main())
        [Entry(seq=1, at=0, type='run.started', data=b'{}')]
    """

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._hints = Hints()
        self._closed = False

    def _open(self) -> dict[str, _Log]:
        if self._closed:
            raise closed_error()
        return self._logs

    def _head(self, run_id: str) -> LogHead | None:
        log = self._open().get(run_id)
        return None if log is None else log.head

    async def append(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Append entries that continue the log, all or none."""
        logs = self._open()
        check_run_id(run_id)
        if not entries:
            return
        head = self._head(run_id)
        check_append(head, entries)
        log = logs.setdefault(run_id, _Log())
        log.entries.extend(entries)
        log.head = advance(head, entries)
        log.last_at = entries[-1].at
        self._hints.wake(run_id)

    async def read(self, run_id: str, *, after: int = 0, limit: int = 1000) -> list[Entry]:
        """At most ``limit`` entries with a seq greater than ``after``, in order."""
        head = self._head(run_id)
        check_cursor(head, after)
        if head is None:
            return []
        start = after + 1 - head.first_seq
        return self._logs[run_id].entries[start : start + max(0, limit)]

    async def wait(self, run_id: str, *, after: int) -> None:
        """Return once there may be entries after ``after``."""
        with self._hints.waiter(run_id) as event:
            head = self._head(run_id)
            if head is None or not (head.finished or head.last_seq > after):
                await event.wait()

    async def head(self, run_id: str) -> LogHead | None:
        """Where the log stands, or None when the run is unknown."""
        return self._head(run_id)

    async def runs(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs kept, the newest first."""
        return list(reversed(self._open()))[: max(0, limit)]

    async def unfinished(self, *, limit: int = 1000) -> list[str]:
        """The ids of the runs without a terminal entry, the oldest first."""
        open_runs = [run_id for run_id, log in self._open().items() if log.head is None or not log.head.finished]
        return open_runs[: max(0, limit)]

    async def kept(self, *, skip: int = 0, limit: int = 100_000) -> list[KeptRun]:
        """What each of the runs kept takes, the newest first, without the first ``skip`` of them."""
        return [
            KeptRun(
                run_id,
                log.last_at,
                sum(len(entry.data) for entry in log.entries),
                log.head is not None and log.head.finished,
            )
            for run_id, log in islice(reversed(self._open().items()), skip, skip + max(0, limit))
        ]

    async def discard(self, run_id: str, *, before: int | None = None) -> None:
        """Forget a run, or only its entries with a seq less than ``before``."""
        head = self._head(run_id)
        if head is None:
            return
        if before is None:
            del self._logs[run_id]
            return
        first = min(max(before, head.first_seq), head.last_seq + 1)
        log = self._logs[run_id]
        del log.entries[: first - head.first_seq]
        log.head = head._replace(first_seq=first)

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        self._closed = True
        self._logs.clear()
        self._hints.wake_all()


class MemoryStateStore:
    """A `StateStore` in memory. For one thread.

    Example:
        >>> import asyncio
        >>> async def main() -> Row | None:
        ...     store = MemoryStateStore()
        ...     await store.put("session/1", b"{}", expected=0)
        ...     return await store.get("session/1")
        >>> asyncio.run(main())
        Row(value=b'{}', version=1)
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._times: dict[str, int] = {}
        self._versions = count(1)
        self._closed = False

    def _open(self) -> dict[str, Row]:
        if self._closed:
            raise closed_error()
        return self._rows

    async def get(self, key: str) -> Row | None:
        """The row, or None when there is none."""
        return self._open().get(key)

    async def put(self, key: str, value: bytes, *, expected: int, at: int = 0) -> int:
        """Write a row when its version is ``expected`` (0: it must not exist) and return the new version."""
        rows = self._open()
        check_key(key)
        self._check(key, expected)
        version = next(self._versions)
        rows[key] = Row(bytes(value), version)
        self._times[key] = at
        return version

    async def delete(self, key: str, *, expected: int) -> None:
        """Remove a row when its version is ``expected``."""
        rows = self._open()
        if expected < 1:
            raise version_conflict(key, expected, rows.get(key))
        self._check(key, expected)
        del rows[key], self._times[key]

    async def kept(self, prefix: str = "", *, after: str = "", limit: int = 1000) -> list[KeptRow]:
        """What is kept under the keys that begin with ``prefix`` and come after another one, sorted by them."""
        rows = self._open()
        keys = sorted(key for key in rows if key.startswith(prefix) and key > after)[: max(0, limit)]
        return [KeptRow(key, rows[key].version, self._times[key], len(rows[key].value)) for key in keys]

    async def aclose(self) -> None:
        """Give everything back. May be called twice."""
        self._closed = True
        self._rows.clear()
        self._times.clear()

    def _check(self, key: str, expected: int) -> None:
        row = self._rows.get(key)
        if (0 if row is None else row.version) != expected:
            raise version_conflict(key, expected, row)
