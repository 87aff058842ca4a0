"""The end of a provider: told to those who wait for something, in whatever loop."""

from __future__ import annotations

import asyncio

from sentient_cli.errors import ProviderError

__all__ = ["Closing", "closed"]


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


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
