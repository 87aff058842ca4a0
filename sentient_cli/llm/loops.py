"""One of something for each event loop."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, ref

__all__ = ["PerLoop"]

T = TypeVar("T")


class PerLoop(Generic[T]):
    """What belongs to an event loop: made when it is first asked for, gone with its loop.

    The loop that was asked for last is known at once: nearly always there is but one. What holds its loop would keep
    both for ever, so that of a loop that was closed goes at the latest when another loop asks.

    Args:
        make: Makes it.

    Example:
        >>> import asyncio
        >>> lists = PerLoop(list[str])
        >>> async def main() -> bool:
        ...     loop = asyncio.get_running_loop()
        ...     return lists.of(loop) is lists.of(loop)
        >>> asyncio.run(main())
        True
    """

    __slots__ = ("_all", "_latest", "_make")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._all: WeakKeyDictionary[AbstractEventLoop, T] = WeakKeyDictionary()
        self._latest: tuple[Callable[[], AbstractEventLoop | None], T] | None = None

    def of(self, loop: AbstractEventLoop) -> T:
        """What belongs to a loop.

        Args:
            loop: The loop.
        """
        latest = self._latest
        if latest is None or latest[0]() is not loop:
            found = self._all.get(loop)
            if found is None:
                self._forget_closed()
                found = self._all[loop] = self._make()
            latest = self._latest = ref(loop), found
        return latest[1]

    def _forget_closed(self) -> None:
        for each in self._all.keyrefs():  # a list of its own, since other threads may do the same
            loop = each()
            if loop is not None and loop.is_closed():
                self._all.pop(loop, None)
