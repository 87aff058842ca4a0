"""Threads for the host's own long work. The loop's default ones belong to the agents, which may fill them all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

from sentient_cli.errors import OverloadedError

__all__ = ["Threads"]

T = TypeVar("T")
A = TypeVar("A")


class Threads:
    """A thread or a few, started when they are first needed.

    Args:
        count: How many.

    Example:
        >>> async def main() -> int:
        ...     threads = Threads()
        ...     length = await threads.run(len, b"abc")
        ...     await threads.aclose()
        ...     return length
        >>> asyncio.run(main())
        3
    """

    def __init__(self, count: int = 1) -> None:
        self._count = count
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._jobs: set[Future[object]] = set()

    async def run(self, work: Callable[[A], T], given: A) -> T:
        """What ``work`` returns for ``given``, in a thread.

        Raises:
            OverloadedError: the threads are closed.
        """
        if self._closed:
            raise OverloadedError("The server is shutting down", fix="Try again; another one may answer")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._count, thread_name_prefix="sentient-host")
        job = self._pool.submit(work, given)
        known = cast("Future[object]", job)
        self._jobs.add(known)
        known.add_done_callback(self._jobs.discard)
        return await asyncio.wrap_future(job)

    async def aclose(self, seconds: float = 5.0) -> None:
        """Let what goes on end, within some time, and give the threads back. May be called twice."""
        self._closed = True
        going_on = [asyncio.wrap_future(job) for job in tuple(self._jobs)]
        if going_on:
            await asyncio.wait(going_on, timeout=seconds)
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=all(job.done() for job in going_on), cancel_futures=True)
