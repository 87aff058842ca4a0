"""How a connection waits: for entries, for the client to leave, for a heartbeat, for a client that takes nothing."""

from __future__ import annotations

import asyncio

__all__ = ["Wake"]


class Wake:
    """One connection's bell and clock. Ringing costs next to nothing, and there is one timer however much is sent.

    Args:
        heartbeat: Seconds of silence after which something is due.
        send_timeout: Seconds that one send may take.
    """

    __slots__ = (
        "_active_at",
        "_future",
        "_heartbeat",
        "_loop",
        "_rung",
        "_send_timeout",
        "_sending",
        "_task",
        "_timer",
        "left",
        "slow",
    )

    def __init__(self, heartbeat: float, send_timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._heartbeat = heartbeat
        self._send_timeout = send_timeout
        self._future: asyncio.Future[bool] | None = None
        self._rung = False
        self._sending = False
        self._active_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.left: bool = False
        """Whether the client is gone."""
        self.slow: bool = False
        """Whether the task was cancelled because a send took too long."""
        self._arm()

    @property
    def patience(self) -> float:
        """Seconds that one send may take."""
        return self._send_timeout

    def ring(self) -> None:
        """There is something to do."""
        self._rung = True
        self._resolve(rung=True)

    def leave(self) -> None:
        """The client is gone."""
        self.left = True
        self.ring()

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def wait(self) -> bool:
        """Return True once rung since the last wait, or False when a heartbeat is due."""
        if not self._rung:
            self._future = self._loop.create_future()
            try:
                await self._future
            finally:
                self._future = None
        rung, self._rung = self._rung, False
        return rung

    def begin_send(self) -> None:
        """Something is being sent from now on."""
        self._active_at = self._loop.time()
        self._sending = True

    def end_send(self) -> None:
        """It is sent."""
        self._sending = False

    def _resolve(self, *, rung: bool) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(rung)

    def _arm(self) -> None:
        silent = self._loop.time() - self._active_at
        due = self._send_timeout - silent if self._sending else min(self._heartbeat - silent, self._send_timeout)
        self._timer = self._loop.call_later(max(due, 0.001), self._tick)

    def _tick(self) -> None:
        silent = self._loop.time() - self._active_at
        if self._sending and silent >= self._send_timeout:
            self.slow = True
            if self._task is not None:
                self._task.cancel()
            return
        if not self._sending and silent >= self._heartbeat:
            self._active_at += silent
            self._resolve(rung=False)
        self._arm()
