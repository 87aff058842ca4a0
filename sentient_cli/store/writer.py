"""Writing behind: what happens in a run reaches its store soon, and nobody ever waits for the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

from sentient_cli.errors import LogSequenceError, StoreError
from sentient_cli.store.entry import Entry
from sentient_cli.store.ports import EventLog
from sentient_cli.store.rules import FINISHED

__all__ = ["WriteBehind"]

_ENTRY_OVERHEAD: Final = 200
"""What an entry costs in memory beside its data, roughly, in bytes."""
_MAX_DELAY: Final = 5.0
_REMEMBERED: Final = 10_000
"""So many runs that were given up are remembered, the last ones."""


class _Pending:
    """What is to be written of one run, and how it went so far."""

    __slots__ = ("attempts", "entries", "not_before", "size")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.size = 0
        self.attempts = 0
        self.not_before = 0.0


class WriteBehind:
    """Takes the entries of running runs and appends them to a log in the background. For one event loop.

    Entries go out 20 ms after the first of them came, or once there are 64, or at once when one ends its run. A store
    that fails is tried again, ever more slowly; when it goes on failing, or more waits than memory allows, the run is
    given up as a whole: its log stays a prefix without an end, as after a crash.

    Args:
        log: Where the entries go.
        on_failure: Called once for each run that is given up, with its id and the reason.
        max_bytes: How much may wait, in bytes; past it the run that waits with most is given up.
        window: Seconds that an entry waits for others.
        batch: How many entries do not wait any longer.
        attempts: How often a run is tried before it is given up.
        backoff: Seconds between the first two tries; doubles each time, up to 5.

    Example:
        >>> from sentient_cli.store.memory import MemoryEventLog
        >>> async def main() -> int:
        ...     log = MemoryEventLog()
        ...     writer = WriteBehind(log, on_failure=print)
        ...     writer.offer("0f3c", Entry(1, 0, "run.started", b"{}"))
        ...     await writer.aclose(timeout=5)
        ...     return len(await log.read("0f3c"))
        >>> asyncio.run(main())
        1
    """

    def __init__(
        self,
        log: EventLog,
        *,
        on_failure: Callable[[str, StoreError], None],
        max_bytes: int = 64 * 1024 * 1024,
        window: float = 0.02,
        batch: int = 64,
        attempts: int = 8,
        backoff: float = 0.05,
    ) -> None:
        self._log = log
        self._on_failure = on_failure
        self._max_bytes = max_bytes
        self._window = window
        self._batch = batch
        self._attempts = attempts
        self._backoff = backoff
        self._queue: deque[tuple[str, Entry]] = deque()
        self._pending: dict[str, _Pending] = {}
        self._size = 0
        self._incomplete: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def offer(self, run_id: str, entry: Entry) -> None:
        """Take an entry. It costs the caller nothing to speak of, and never fails; see ``on_failure``."""
        if run_id in self._incomplete:
            return
        if self._closed:
            self._give_up(run_id, StoreError("The store is closed", why="The run went on after its end"))
            return
        pending = self._pending.get(run_id)
        if pending is None:
            pending = self._pending[run_id] = _Pending()
            self._idle.clear()
        size = len(entry.data) + _ENTRY_OVERHEAD
        pending.size += size
        self._size += size
        self._queue.append((run_id, entry))
        if entry.type == FINISHED or len(self._queue) >= self._batch:
            self._wake.set()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._window, self._wake.set)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="sentient-write-behind")
        if self._size > self._max_bytes:
            self._overflow()

    def is_incomplete(self, run_id: str) -> bool:
        """Whether the run was given up, so that its stored log is not the whole of it."""
        return run_id in self._incomplete

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
        self._stop_timer()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._stop_timer()
            while self._queue:
                run_id, entry = self._queue.popleft()
                self._pending[run_id].entries.append(entry)
            now = asyncio.get_running_loop().time()
            due = [run_id for run_id, run in self._pending.items() if run.entries and run.not_before <= now]
            # Appends that are asked for together are committed together.
            await asyncio.gather(*(self._store(run_id, self._pending[run_id]) for run_id in due))

    async def _store(self, run_id: str, pending: _Pending) -> None:
        entries, pending.entries = pending.entries, []
        try:
            await self._log.append(run_id, entries)
        except LogSequenceError as error:
            await self._resume(run_id, pending, entries, error)
        except StoreError as error:
            self._retry(run_id, pending, entries, error)
        except Exception as error:  # noqa: BLE001 - whatever the store does, the other runs go on
            self._give_up(run_id, StoreError("The store failed", why=repr(error)))
        else:
            pending.attempts = 0
            self._written(run_id, pending, entries)

    async def _resume(self, run_id: str, pending: _Pending, entries: list[Entry], error: LogSequenceError) -> None:
        """An append that was reported as failed may have been stored all the same."""
        try:
            head = await self._log.head(run_id) if pending.attempts else None
        except StoreError as broken:
            self._retry(run_id, pending, entries, broken)
            return
        stored = 0 if head is None else head.last_seq - entries[0].seq + 1
        if not 0 < stored <= len(entries):
            self._give_up(run_id, error)
            return
        pending.attempts = 0
        pending.entries[:0] = entries[stored:]
        self._written(run_id, pending, entries[:stored])
        self._wake.set()

    def _written(self, run_id: str, pending: _Pending, entries: list[Entry]) -> None:
        if self._pending.get(run_id) is not pending:
            return
        size = sum(len(entry.data) for entry in entries) + _ENTRY_OVERHEAD * len(entries)
        pending.size -= size
        self._size -= size
        if not pending.size:
            self._remove(run_id)

    def _retry(self, run_id: str, pending: _Pending, entries: list[Entry], error: StoreError) -> None:
        pending.attempts += 1
        if pending.attempts >= self._attempts:
            self._give_up(run_id, error)
            return
        pending.entries[:0] = entries
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
            self._queue = deque(item for item in self._queue if item[0] != run_id)
            self._remove(run_id)
        try:
            self._on_failure(run_id, error)
        except Exception as raised:  # noqa: BLE001 - a listener's fault must not stop the writing
            asyncio.get_running_loop().call_exception_handler({"message": "on_failure raised", "exception": raised})

    def _remove(self, run_id: str) -> None:
        del self._pending[run_id]
        if not self._pending:
            self._idle.set()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
