"""How a connection waits: for entries, for the client to leave, or for the time of a heartbeat."""

from __future__ import annotations

import asyncio

__all__ = ["Wake"]


class Wake:
    """One connection's bell. Ringing it costs next to nothing while nobody waits."""

    __slots__ = ("_future", "_loop", "_rung", "left")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[bool] | None = None
        self._rung = False
        self.left = False
        """Whether the client is gone."""

    def ring(self) -> None:
        """There is something to do."""
        self._rung = True
        future = self._future
        if future is not None and not future.done():
            future.set_result(True)

    def leave(self) -> None:
        """The client is gone."""
        self.left = True
        self.ring()

    async def wait(self, seconds: float) -> bool:
        """Return True once rung since the last wait, or False after ``seconds``."""
        if not self._rung:
            future = self._future = self._loop.create_future()
            timer = self._loop.call_later(seconds, _expire, future)
            try:
                await future
            finally:
                timer.cancel()
                self._future = None
        rung, self._rung = self._rung, False
        return rung


def _expire(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(False)
