"""Who waits for room, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Line"]

T = TypeVar("T")


class Line:
    """A line of those who wait until they can take something.

    Example:
        >>> async def main() -> list[str]:
        ...     line, free = Line(), ["a"]
        ...     take = lambda: free.pop() if free else None
        ...     first = await line.until(take, 1.0)
        ...     second = asyncio.create_task(line.until(take, 1.0))
        ...     await asyncio.sleep(0)
        ...     free.append("b")
        ...     line.wake()
        ...     return [first, await second, await line.until(take, 0.0)]
        >>> asyncio.run(main())
        ['a', 'b', None]
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def until(self, take: Callable[[], T | None], patience: float) -> T | None:
        """Take something as soon as it can be taken; None: that was not in time.

        Args:
            take: Takes it, or gives None where there is nothing.
            patience: Seconds to wait.
        """
        if not self._waiting and (taken := take()) is not None:
            return taken
        try:
            async with asyncio.timeout(patience):
                return await self._wait(take)
        except TimeoutError:
            return None

    def wake(self) -> None:
        """Something may be there: it is the turn of the first one, and when that has it of the next."""
        if self._waiting and not self._waiting[0].done():
            self._waiting[0].set_result(None)

    async def _wait(self, take: Callable[[], T | None]) -> T:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        try:
            while True:
                await turn
                taken = take()
                if taken is not None:
                    return taken
                turn = self._waiting[0] = loop.create_future()  # only the first one is called, and it stays the first
        finally:
            self._waiting.remove(turn)
            self.wake()
