"""Forgetting finished runs: by how many there are, how old they are, and how much room they take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from sentient_cli.clock import Clock
from sentient_cli.store.ports import EventLog, KeptRun

__all__ = ["keep"]

_NANOSECONDS: Final = 1_000_000_000
_PAGE: Final = 10_000


async def keep(
    events: EventLog,
    clock: Clock,
    *,
    count: int | None = None,
    seconds: float | None = None,
    size: int | None = None,
    longest: float | None = None,
) -> list[str]:
    """Keep the newest finished runs within all the limits and forget the others. Runs that go on are never touched.

    A run without an end, whose process was killed, counts as finished once it cannot go on any more.

    Args:
        events: Where the runs are.
        clock: Says how old they are.
        count: How many finished runs to keep; None for any number.
        seconds: How long a run is kept after its last entry; None for ever.
        size: How many bytes the finished runs may take together; None for any.
        longest: Seconds after its last entry in which a run has its next one, whoever runs it; None: any number.

    Returns:
        The ids of those forgotten.

    Raises:
        StoreError: the store could not do it.

    Example:
        >>> import asyncio
        >>> from sentient_cli.clock import SystemClock
        >>> from sentient_cli.store.memory import MemoryEventLog
        >>> asyncio.run(keep(MemoryEventLog(), SystemClock(), count=1000, seconds=3600))
        []
    """
    held = used = 0
    forgotten: list[str] = []
    now = clock.now_ns()
    oldest = None if seconds is None else now - int(seconds * _NANOSECONDS)
    over = None if longest is None else now - int(longest * _NANOSECONDS)
    async for run in _all(events):
        if not run.finished and (over is None or run.last_at >= over):
            continue
        used += run.size
        too_old = oldest is not None and run.last_at < oldest
        too_many = count is not None and held >= count
        too_big = size is not None and used > size
        if too_old or too_many or too_big:
            forgotten.append(run.run_id)
        else:
            held += 1
    for run_id in forgotten:  # not sooner: the pages would move
        await events.discard(run_id)
    return forgotten


async def _all(events: EventLog) -> AsyncIterator[KeptRun]:
    """All runs, the newest first; what begins meanwhile moves the pages, and is not told twice."""
    skip = 0
    before: set[str] = set()
    while page := await events.kept(skip=skip, limit=_PAGE):
        for run in page:
            if run.run_id not in before:
                yield run
        before = {run.run_id for run in page}
        skip += len(page)
