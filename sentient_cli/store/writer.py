"""Writing behind: what happens in a run reaches its store soon, and nobody ever waits for the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from sentient_cli.errors import LogSequenceError, StoreError
from sentient_cli.store.batch import EntryLog, appender
from sentient_cli.store.entry import LogEntry

__all__ = ["WriteBehind"]

E = TypeVar("E", bound=LogEntry)

_ENTRY_OVERHEAD: Final = 200
"""What an entry costs in memory beside its data, roughly, in bytes."""
_MAX_DELAY: Final = 5.0
_REMEMBERED: Final = 10_000
"""So many runs that were given up are remembered, the last ones."""


class _Pending(Generic[E]):
    """What is to be written of one run, and how it went so far."""

    __slots__ = ("attempts", "entries", "not_before", "size", "waiting")

    def __init__(self) -> None:
        self.entries: list[E] = []
        self.waiting = 0
        """What the entries take."""
        self.size = 0
        """The same, and what is being written."""
        self.attempts = 0
        self.not_before = 0.0


class _Flight(Generic[E]):
    """Entries that are being written."""

    __slots__ = ("entries", "pending", "run_id", "size")

    def __init__(self, run_id: str, pending: _Pending[E]) -> None:
        self.run_id = run_id
        self.pending = pending
        self.entries, pending.entries = pending.entries, []
        self.size, pending.waiting = pending.waiting, 0

    def put_back(self) -> None:
        self.pending.entries[:0] = self.entries
        self.pending.waiting += self.size


class WriteBehind(Generic[E]):
    """Takes the entries of running runs and appends them to a log in the background. For one event loop.

    Entries go out at once; those that come while the store is busy go out together. A store that fails is tried again,
    ever more slowly; when it goes on failing, or more waits than memory allows, the run is given up as a whole: its log
    stays a prefix without an end, as after a crash.

    Args:
        log: Where the entries go.
        on_failure: Called once for each run that is given up, with its id and the reason.
        max_bytes: How much may wait, in bytes; past it the run that waits with most is given up.
        attempts: How often a run is tried before it is given up.
        backoff: Seconds between the first two tries; doubles each time, up to 5.

    Example:
        >>> from sentient_cli.store.memory import MemoryEventLog
        >>> from sentient_cli.store.entry import Entry
        >>> async def main() -> int:
        ...     log = MemoryEventLog()
        ...     writer = WriteBehind(log, on_failure=print)
        ...     writer.offer("0f3c", [Entry(1, 0, "run.started", b"{}")], size=2)
        ...     await writer.aclose(timeout=5)
        ...     return len(await log.read("0f3c"))
        >>> asyncio.run(main())
        1
    """

    def __init__(
        self,
        log: EntryLog[E],
        *,
        on_failure: Callable[[str, StoreError], None],
        max_bytes: int = 64 * 1024 * 1024,
        attempts: int = 8,
        backoff: float = 0.05,
    ) -> None:
        self._log = log
        self._append_all = appender(log)
        self._on_failure = on_failure
        self._max_bytes = max_bytes
        self._attempts = attempts
        self._backoff = backoff
        self._pending: dict[str, _Pending[E]] = {}
        self._size = 0
        self._incomplete: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def offer(self, run_id: str, entries: Sequence[E], size: int) -> None:
        """Take entries. It costs the caller nothing to speak of, and never fails; see ``on_failure``.

        Args:
            run_id: Whose.
            entries: What.
            size: The bytes of their data, roughly.
        """
        if run_id in self._incomplete:
            return
        if self._closed:
            self._give_up(run_id, StoreError("The store is closed", why="The run went on after its end"))
            return
        pending = self._pending.get(run_id)
        if pending is None:
            pending = self._pending[run_id] = _Pending()
            self._idle.clear()
        taken = size + _ENTRY_OVERHEAD * len(entries)
        pending.size += taken
        pending.waiting += taken
        self._size += taken
        pending.entries += entries
        self._wake.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="sentient-write-behind")
        if self._size > self._max_bytes:
            self._overflow()

    async def flush(self) -> None:
        """Wait until nothing waits any more: everything was written or given up."""
        while self._pending:
            self._wake.set()
            await self._idle.wait()

    async def aclose(self, timeout: float) -> None:  # noqa: ASYNC109 - what is left then is given up, not raised
        """Write what waits, for at most ``timeout`` seconds, and give up the rest. May be called twice."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.flush()
        for run_id in tuple(self._pending):
            self._give_up(run_id, StoreError(f"The end of run {run_id} was not stored in time"))
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            now = asyncio.get_running_loop().time()
            due = [
                _Flight(run_id, run) for run_id, run in self._pending.items() if run.entries and run.not_before <= now
            ]
            if not due:
                continue
            results = await self._append_all([(flight.run_id, flight.entries) for flight in due])
            for flight, error in zip(due, results, strict=True):
                if error is None:
                    flight.pending.attempts = 0
                    self._written(flight, flight.size)
                else:
                    await self._mend(flight, error)

    async def _mend(self, flight: _Flight[E], error: Exception) -> None:
        if isinstance(error, LogSequenceError):
            await self._resume(flight, error)
        elif isinstance(error, StoreError):
            self._retry(flight, error)
        else:  # whatever the store does, the other runs go on
            self._give_up(flight.run_id, StoreError("The store failed", why=repr(error)))

    async def _resume(self, flight: _Flight[E], error: LogSequenceError) -> None:
        """An append that was reported as failed may have been stored all the same."""
        entries = flight.entries
        try:
            head = await self._log.head(flight.run_id) if flight.pending.attempts else None
        except StoreError as broken:
            self._retry(flight, broken)
            return
        stored = 0 if head is None else head.last_seq - entries[0].seq + 1
        if not 0 < stored <= len(entries):
            self._give_up(flight.run_id, error)
            return
        flight.pending.attempts = 0
        written = flight.size * stored // len(entries)
        flight.entries, flight.size = entries[stored:], flight.size - written
        flight.put_back()
        self._written(flight, written)
        self._wake.set()

    def _written(self, flight: _Flight[E], size: int) -> None:
        pending = flight.pending
        if self._pending.get(flight.run_id) is not pending:
            return
        pending.size -= size
        self._size -= size
        if not pending.size:
            self._remove(flight.run_id)

    def _retry(self, flight: _Flight[E], error: StoreError) -> None:
        pending = flight.pending
        pending.attempts += 1
        if pending.attempts >= self._attempts:
            self._give_up(flight.run_id, error)
            return
        flight.put_back()
        delay = min(self._backoff * 2 ** (pending.attempts - 1), _MAX_DELAY)
        loop = asyncio.get_running_loop()
        pending.not_before = loop.time() + delay
        # A timer may fire up to the clock's resolution too early: look again a little later.
        loop.call_later(delay + 0.001, self._wake.set)

    def _overflow(self) -> None:
        run_id = max(self._pending, key=lambda name: self._pending[name].size)
        self._give_up(
            run_id,
            StoreError(
                f"Run {run_id} is not stored to its end",
                why=f"The store is too slow: {self._size} bytes wait for it",
                fix="Use a faster disk, or let fewer runs go on at once",
            ),
        )

    def _give_up(self, run_id: str, error: StoreError) -> None:
        if run_id in self._incomplete:
            return
        self._incomplete[run_id] = None
        if len(self._incomplete) > _REMEMBERED:
            del self._incomplete[next(iter(self._incomplete))]
        if run_id in self._pending:
            self._size -= self._pending[run_id].size
            self._remove(run_id)
        try:
            self._on_failure(run_id, error)
        except Exception as raised:  # noqa: BLE001 - a listener's fault must not stop the writing
            asyncio.get_running_loop().call_exception_handler({"message": "on_failure raised", "exception": raised})

    def _remove(self, run_id: str) -> None:
        del self._pending[run_id]
        if not self._pending:
            self._idle.set()
