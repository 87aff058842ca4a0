"""How long an answer may bring no content, whatever else comes: comments, pings and single bytes are none.

One look at all answers of an event loop, a few times a second: a timer for each would cost more than its pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sentient_cli.errors import ProviderTimeoutError
from sentient_cli.llm.loops import PerLoop
from sentient_cli.llm.wire.broken import StalledError

__all__ = ["SLOWEST", "Patience", "stalled", "within"]

T = TypeVar("T")

TICK: Final = 0.25
"""Seconds between two looks."""
SLOWEST: Final = 16 * 1024
"""Bytes a second: what comes or goes as a whole is given the time that it takes at this rate."""


class Patience:
    """Watches one answer. Who reads it says ``is_read`` while a reader has it, and ``moved`` when content came.

    Args:
        seconds: How long there may be no content.
        stop: Called once when that is over; it makes the reading fail.

    Example:
        >>> async def main() -> bool:
        ...     over = asyncio.Event()
        ...     patience = Patience(0.01, over.set)
        ...     patience.begin()
        ...     await over.wait()
        ...     return patience.renew()
        >>> asyncio.run(main())
        True
    """

    __slots__ = ("_is_over", "_seconds", "_since", "_stop", "_watched", "is_read", "moved")

    def __init__(self, seconds: float, stop: Callable[[], object]) -> None:
        self._seconds = seconds
        self._stop: Callable[[], object] = stop
        self._since = 0.0
        self._is_over = False
        self._watched: _Watched | None = None
        self.is_read: bool = False
        """Whether somebody has a piece of it, so that nothing is waited for."""
        self.moved: bool = False
        """Whether content came since the last look."""

    def begin(self) -> None:
        """Look at it from now on, until `end`."""
        loop = asyncio.get_running_loop()
        watched = self._watched = _watched.of(loop)
        self._since = loop.time()
        watched.all.add(self)
        if not watched.is_looking:
            watched.begin(loop)

    def end(self) -> None:
        """Look at it no more."""
        self._stop = _nothing  # what would stop may hold this, and garbage in a circle is dear to find
        watched, self._watched = self._watched, None
        if watched is not None:
            watched.all.discard(self)

    def renew(self) -> bool:
        """Whether its time was over; then it has all of it again, for what takes its place."""
        if not self._is_over:
            return False
        self._is_over, self.moved = False, True
        return True

    def look(self, now: float) -> None:
        """See whether its time is over.

        Args:
            now: The time of its loop.
        """
        if self.moved or self.is_read:
            self._since, self.moved = now, False
        elif not self._is_over and now - self._since >= self._seconds:
            self._is_over = True
            self._stop()


class _Watched:
    """What is looked at in one event loop."""

    __slots__ = ("all", "is_looking")

    def __init__(self) -> None:
        self.all: set[Patience] = set()
        self.is_looking: bool = False

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_looking = True
        loop.call_later(TICK, self._look)

    def _look(self) -> None:
        if not self.all:
            self.is_looking = False
            return
        loop = asyncio.get_running_loop()
        self.begin(loop)
        now = loop.time()
        for patience in tuple(self.all):
            patience.look(now)


_watched: Final = PerLoop(_Watched)


def _nothing() -> None:
    pass


async def within(seconds: float, answer: Awaitable[T]) -> T:
    """Wait for something, for so long and a moment at most: for a bound of many seconds, which costs a call little.

    Args:
        seconds: How long it may take.
        answer: What is waited for.

    Raises:
        StalledError: it took longer.

    Example:
        >>> asyncio.run(within(60.0, asyncio.sleep(0, "done")))
        'done'
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - whoever awaits is one
    patience, cancelling = Patience(seconds, task.cancel), task.cancelling()
    patience.begin()
    try:
        return await answer
    except asyncio.CancelledError:
        # Whoever else wants the task to end goes first.
        if patience.renew() and task.uncancel() <= cancelling:
            raise StalledError from None
        raise
    finally:
        patience.end()
        if patience.renew():
            task.uncancel()


def stalled(provider: str, seconds: float) -> ProviderTimeoutError:
    """The error of an answer that brings nothing.

    Args:
        provider: Whose.
        seconds: How long it was waited for.

    Example:
        >>> print(stalled("mine", 120).why)
        It sends signs of life, and brought nothing of an answer for 120 s
    """
    return ProviderTimeoutError(
        f"The provider {provider!r} does not get on",
        why=f"It sends signs of life, and brought nothing of an answer for {seconds:g} s",
        fix="Try again, or raise the provider's `stall_timeout`",
        provider=provider,
    )
