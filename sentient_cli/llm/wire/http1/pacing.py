"""When to read an answer less often than its pieces come.

A piece that comes by itself costs what waking up costs, two or three times what it takes to understand it. Servers of
the own machine or network, caches and replays among them, send hundreds or thousands a second. What has waited a moment
comes together, as from network cards under load (https://docs.kernel.org/networking/napi.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sentient_cli.llm.loops import PerLoop

__all__ = ["Pace", "begin_rest"]

_COUNTED: Final = 16
_SPAN: Final = 0.025
"""Seconds that so many pieces take at least, if each is to be read by itself: there are 640 a second."""
_SHORT: Final = 0.001
_LONG: Final = 0.004
"""Seconds without reading: a screen shows what is new every 8 or 16 ms."""
_FLOOD: Final = 0.004
"""Seconds in which so many pieces come at most, if the shorter ones are enough."""
_LATE: Final = 0.008
"""Seconds after which a piece has come by itself, however large it is."""
_MUCH: Final = 32 * 1024
"""Bytes that are followed by others at once, which may wait for room: about half of what a sender may send unread."""


class Pace:
    """How fast the pieces of one answer come.

    Args:
        now: The time of its loop.

    Example:
        >>> pace = Pace(0.0)
        >>> pace.left
        16
        >>> pace.rest(100, 0.008), pace.left
        (0.004, 1)
        >>> pace.rest(400, 0.012), pace.rest(90, 0.016), pace.left
        (0.004, 0.0, 16)
    """

    __slots__ = ("_rest", "_since", "_usual", "left")

    def __init__(self, now: float) -> None:
        self._since = now
        self._usual = 0
        """Bytes of a piece, while several are read at a time."""
        self._rest = 0.0
        self.left: int = _COUNTED
        """Pieces that are taken as they come; then `rest` is to be asked."""

    def rest(self, size: int, now: float) -> float:
        """Seconds in which nothing should be read.

        Args:
            size: Bytes that came last.
            now: The time of its loop.
        """
        since, self._since = self._since, now
        if self._usual:
            self.left = 1
            if 2 * size > 3 * self._usual and now - since < _LATE:  # more than one has come meanwhile
                return self._rest if size < _MUCH else 0.0
            self._usual = 0
        elif now - since < _SPAN and size < _MUCH:
            self._usual, self.left = size, 1
            self._rest = _SHORT if now - since < _FLOOD else _LONG
            return self._rest
        self.left = _COUNTED
        return 0.0


class _Rests:
    """The rests of one event loop, by how long they are: all that have begun since one ended end with one timer."""

    __slots__ = ("all",)

    def __init__(self) -> None:
        self.all: dict[float, list[Callable[[], None]]] = {}

    def end(self, seconds: float) -> None:
        for end in self.all.pop(seconds):
            end()


_rests: Final = PerLoop(_Rests)


def begin_rest(loop: asyncio.AbstractEventLoop, seconds: float, end: Callable[[], None]) -> None:
    """Call something in a moment, with all others of the same length that have begun by then.

    Args:
        loop: Where.
        seconds: When, at most.
        end: What is called.

    Example:
        >>> async def main() -> int:
        ...     ended: list[int] = []
        ...     for number in (1, 2):
        ...         begin_rest(asyncio.get_running_loop(), 0.001, lambda: ended.append(number))
        ...     await asyncio.sleep(0.05)
        ...     return len(ended)
        >>> asyncio.run(main())
        2
    """
    rests = _rests.of(loop)
    begun = rests.all.get(seconds)
    if begun is None:
        begun = rests.all[seconds] = []
        loop.call_later(seconds, rests.end, seconds)
    begun.append(end)
