"""Forgetting finished runs: by how many there are, how old they are, and how much room they take."""

from __future__ import annotations

from typing import Final

from sentient_cli.clock import Clock
from sentient_cli.store.ports import EventLog

__all__ = ["keep"]

_NANOSECONDS: Final = 1_000_000_000


async def keep(
    events: EventLog,
    clock: Clock,
    *,
    count: int | None = None,
    seconds: float | None = None,
    size: int | None = None,
) -> list[str]:
    """Keep the newest finished runs within all the limits and forget the others. Runs that go on are never touched.

    Args:
        events: Where the runs are.
        clock: Says how old they are.
        count: How many finished runs to keep; None for any number.
        seconds: How long a run is kept after its last entry; None for ever.
        size: How many bytes the finished runs may take together; None for any.

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
    oldest = None if seconds is None else clock.now_ns() - int(seconds * _NANOSECONDS)
    held = used = 0
    forgotten: list[str] = []
    for run in await events.kept():
        if not run.finished:
            continue
        used += run.size
        too_old = oldest is not None and run.last_at < oldest
        too_many = count is not None and held >= count
        too_big = size is not None and used > size
        if too_old or too_many or too_big:
            await events.discard(run.run_id)
            forgotten.append(run.run_id)
        else:
            held += 1
    return forgotten
