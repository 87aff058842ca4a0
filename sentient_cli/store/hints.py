"""Wake-up hints: who waits for which log, and how any thread wakes them.

A hint is never the truth. It may come early, twice or for nothing; whoever is woken reads the log again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Generator
from typing import NamedTuple

__all__ = ["Hints"]


class _Waiter(NamedTuple):
    loop: asyncio.AbstractEventLoop
    event: asyncio.Event


class Hints:
    """Those who wait for entries of a run, on any event loop; woken from any thread.

    Example:
        >>> async def woken() -> bool:
        ...     hints = Hints()
        ...     with hints.waiter("0f3c") as event:
        ...         hints.wake("0f3c")
        ...         return await event.wait()
        >>> asyncio.run(woken())
        True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[_Waiter]] = {}

    @contextlib.contextmanager
    def waiter(self, run_id: str) -> Generator[asyncio.Event]:
        """An event that is set when ``run_id`` may have grown. Ask for it first, then look at the log, then wait."""
        waiter = _Waiter(asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting.setdefault(run_id, []).append(waiter)
        try:
            yield waiter.event
        finally:
            with self._lock:
                left = [other for other in self._waiting[run_id] if other is not waiter]
                if left:
                    self._waiting[run_id] = left
                else:
                    del self._waiting[run_id]

    def waiting(self) -> list[str]:
        """The runs that somebody waits for."""
        with self._lock:
            return list(self._waiting)

    def any(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def wake(self, run_id: str) -> None:
        """Wake those who wait for one run."""
        if not self._waiting:
            return
        with self._lock:
            waiters = tuple(self._waiting.get(run_id, ()))
        _wake(waiters)

    def wake_all(self) -> None:
        """Wake everybody."""
        with self._lock:
            waiters = tuple(waiter for group in self._waiting.values() for waiter in group)
        _wake(waiters)


def _wake(waiters: tuple[_Waiter, ...]) -> None:
    for waiter in waiters:
        # The loop of a waiter may have been closed without giving its tasks a chance to end.
        with contextlib.suppress(RuntimeError):
            waiter.loop.call_soon_threadsafe(waiter.event.set)
