"""Who holds the end of a drain: clients that take nothing of what is sent, and requests that do not end."""

from __future__ import annotations

import array
import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from sentient_cli.server.header_limits import HeaderLimits

__all__ = ["Laggards"]

_INTERVAL = 0.1
_PATIENCE = 2.0


class Laggards:
    """Watches the connections of a server that leaves.

    A client that reads, however slowly, is sent everything. One that has taken nothing for a while is given up once
    nothing else is to be done, and that it took nothing before then counts.

    Args:
        connections: All there are, at any time.
        patience: Seconds that a client may take nothing.
    """

    def __init__(self, connections: Collection[HeaderLimits], patience: float = _PATIENCE) -> None:
        self._connections = connections
        self._patience = patience
        self._last: dict[HeaderLimits, tuple[int, float]] = {}
        """What was unsent at the last look, and when the client took something last."""
        self._giving_up = False

    def refuse_half_sent(self) -> None:
        """Answer the requests whose bodies are not complete."""
        for connection in tuple(self._connections):
            connection.refuse_half_sent()

    def give_up(self) -> None:
        """From now on cut off who takes nothing."""
        self._giving_up = True

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._look(loop.time())
            await asyncio.sleep(_INTERVAL)

    def _look(self, now: float) -> None:
        known, self._last = self._last, {}
        for connection in tuple(self._connections):
            unsent = _unsent(connection.transport)
            if not unsent:
                continue
            before, since = known.get(connection, (unsent, now))
            if unsent < before:
                since = now
            self._last[connection] = (unsent, since)
            if self._giving_up and now - since >= self._patience:
                connection.transport.abort()


def _unsent(transport: asyncio.Transport) -> int:
    """Bytes that wait in this process, and with them those in the kernel; 0 when the kernel has everything."""
    waiting = transport.get_write_buffer_size()
    return waiting + _in_kernel(transport) if waiting else 0


def _in_kernel(transport: asyncio.Transport) -> int:
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows
        import termios  # noqa: PLC0415

        found = array.array("i", [0])
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, found)
    except (ImportError, OSError):
        return 0
    return found[0]
