"""Where connections come into a worker, one descriptor at a time."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import TYPE_CHECKING, Final

from sentient_cli.dev.keeping import LEDGER, NO_PAGE, PAGE
from sentient_cli.dev.processes.descriptors import receive
from sentient_cli.server.ledger import Ledger, Page

if TYPE_CHECKING:
    from sentient_cli.server.adopting import AdoptingServer

__all__ = ["Doors"]

_ROOM_EVERY: Final = 0.2

_logger = logging.getLogger(__name__)


class Doors:
    """Takes connections, and gives them to a server. For one event loop.

    Args:
        connections: Brings them.
        server: Answers on them.
    """

    def __init__(self, connections: socket.socket, server: AdoptingServer) -> None:
        self._connections = connections
        self._server = server
        self._ledger: Ledger | None = None
        self._again: asyncio.TimerHandle | None = None

    @property
    def crowded(self) -> bool:
        """Whether some may wait for a descriptor."""
        return self._again is not None

    def open(self) -> None:
        """Begin to take them as they come."""
        self._connections.setblocking(False)
        asyncio.get_running_loop().add_reader(self._connections.fileno(), self.take)

    def rest(self) -> None:
        """Take no more by itself."""
        asyncio.get_running_loop().remove_reader(self._connections.fileno())

    def close(self) -> None:
        """No more will come."""
        self.rest()
        self._connections.close()

    def take(self) -> None:
        """Take those that are there."""
        while self._has_room():
            try:
                data, descriptors = receive(self._connections, PAGE.size, 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data, descriptors = b"", []
            if not data:  # the hub is gone
                self.rest()
                return
            for descriptor in descriptors:
                self._take(data, descriptor)

    def _take(self, data: bytes, descriptor: int) -> None:
        if data == LEDGER:
            self._ledger = Ledger.over(descriptor)
            os.register_at_fork(after_in_child=self._ledger.forget)
            return
        connection = socket.socket(fileno=descriptor)
        (number,) = PAGE.unpack(data)
        page = None if self._ledger is None or number == NO_PAGE else Page(self._ledger, number, connection)
        self._server.adopt(connection, page)

    def _has_room(self) -> bool:
        """Whether a descriptor is left: a connection that is taken without one is lost."""
        doors = self._connections.fileno()
        try:
            os.close(os.dup(doors))
        except OSError as error:
            _logger.warning("No connection can be taken just now: %s", error.strerror)
            self.rest()
            if self._again is not None:
                self._again.cancel()
            self._again = asyncio.get_running_loop().call_later(_ROOM_EVERY, self._look_for_room)
            return False
        return True

    def _look_for_room(self) -> None:
        self._again = None
        asyncio.get_running_loop().add_reader(self._connections.fileno(), self.take)
