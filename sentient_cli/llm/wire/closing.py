"""The end of a provider: told to those who wait for something, in whatever loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from sentient_cli.clock import Clock
from sentient_cli.errors import ProviderError

__all__ = ["Closing", "closed", "slept"]


class Closing:
    """Whether something is closed, and a wait for that. It can be waited for in several loops.

    Example:
        >>> async def main() -> bool:
        ...     closing = Closing()
        ...     waiting = asyncio.create_task(closing.wait())
        ...     await asyncio.sleep(0)
        ...     closing.close()
        ...     await waiting
        ...     return closing.is_closed
        >>> asyncio.run(main())
        True
    """

    __slots__ = ("_waiting", "is_closed")

    def __init__(self) -> None:
        self.is_closed: bool = False
        self._waiting: set[asyncio.Future[None]] = set()

    async def wait(self) -> None:
        """Wait until it is closed."""
        if self.is_closed:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def close(self) -> None:
        """Tell those who wait. May be called twice."""
        self.is_closed = True
        for future in tuple(self._waiting):
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)


def closed(provider: str) -> ProviderError:
    """The error of a call that comes after the end.

    Args:
        provider: Whose.
    """
    return ProviderError(
        f"The provider {provider!r} is closed", fix="Close it when its last call has ended", provider=provider
    )


async def slept(clock: Clock, seconds: float, closing: Awaitable[None]) -> bool:
    """Wait; whether what is waited for is still open then.

    Args:
        clock: Waits.
        seconds: For how long, unless it is closed before.
        closing: Ends when it is closed.

    Example:
        >>> from sentient_cli.clock import SystemClock
        >>> async def main() -> tuple[bool, bool]:
        ...     closing = Closing()
        ...     stayed = await slept(SystemClock(), 0.0, closing.wait())
        ...     closing.close()
        ...     return stayed, await slept(SystemClock(), 60.0, closing.wait())
        >>> asyncio.run(main())
        (True, False)
    """
    closed, sleeping = asyncio.ensure_future(closing), asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((closed, sleeping), return_when=asyncio.FIRST_COMPLETED)
        return not closed.done()
    finally:
        closed.cancel()
        sleeping.cancel()
        await asyncio.gather(closed, sleeping, return_exceptions=True)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
