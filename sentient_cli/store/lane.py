"""Threads that do the blocking work of the stores, so that the event loop never does.

A process has one writer thread for all its stores (`acquire_writer`); each store on disk has a reader thread of its
own, since a write that waits for another process must not hold up a read.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from sentient_cli.store.rules import closed_error

__all__ = ["Lane", "acquire_writer", "release_writer"]

T = TypeVar("T")
TICK_SECONDS: Final = 0.05


def _nobody() -> bool:
    return False


def _nothing() -> None:
    return None


class Lane:
    """One thread that runs jobs in their order. It starts with the first job.

    Its queue needs no bound: each job has a caller who waits for the result.

    Args:
        name: The name of the thread.
        wanted: Says whether ``tick`` is to be called while there is nothing else to do.
        tick: Called on the thread every 50 ms while wanted; must not raise.

    Example:
        >>> async def main() -> int:
        ...     lane = Lane("example")
        ...     try:
        ...         return await lane.call(lambda: 6 * 7)
        ...     finally:
        ...         await lane.aclose()
        >>> asyncio.run(main())
        42
    """

    def __init__(self, name: str, *, wanted: Callable[[], bool] = _nobody, tick: Callable[[], None] = _nothing) -> None:
        self.pid: int = os.getpid()
        self._name = name
        self._wanted = wanted
        self._tick = tick
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have ``work`` done on the thread.

        Raises:
            StoreError: the lane is closed.
        """
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it, whatever it is
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if self._closed:
                raise closed_error()
            self._jobs.put(job)
            self._start()
        return future

    async def call(self, work: Callable[[], T]) -> T:
        """Have ``work`` done on the thread and wait for it. Cancelled before its turn it is not done at all.

        Raises:
            StoreError: the lane is closed.
        """
        return await asyncio.wrap_future(self.submit(work))

    async def aclose(self) -> None:
        """Do what was submitted, then end the thread. May be called twice."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is None or self.pid != os.getpid():
            return
        ended: Future[None] = Future()
        ended.set_running_or_notify_cancel()
        self._jobs.put(lambda: ended.set_result(None))
        self._jobs.put(None)
        await asyncio.wrap_future(ended)
        thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def _work(self) -> None:
        due = time.monotonic() + TICK_SECONDS
        while True:
            try:
                job = self._jobs.get(timeout=max(0.0, due - time.monotonic()) if self._wanted() else None)
            except queue.Empty:
                pass
            else:
                if job is None:
                    return
                job()
                # An idle thread must not keep the last caller's objects alive.
                del job
            if time.monotonic() >= due:
                if self._wanted():
                    self._tick()
                due = time.monotonic() + TICK_SECONDS


_shared_lock = threading.Lock()
_shared: list[Lane] = []
_users: list[int] = []


def acquire_writer() -> Lane:
    """The one writer thread of this process; give it back with `release_writer`."""
    with _shared_lock:
        if _shared and _shared[0].pid != os.getpid():
            # A forked child has the object but not the thread.
            _shared.clear()
            _users.clear()
        if not _shared:
            _shared.append(Lane("sentient-store-writer"))
            _users.append(0)
        _users[0] += 1
        return _shared[0]


async def release_writer(lane: Lane) -> None:
    """Give the writer thread back. It ends when nobody uses it."""
    with _shared_lock:
        if not _shared or _shared[0] is not lane:
            return
        _users[0] -= 1
        if _users[0] > 0:
            return
        _shared.clear()
        _users.clear()
    await lane.aclose()
