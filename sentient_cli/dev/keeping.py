"""The open connections of a worker, kept beside it: what it leaves unfinished when it ends is brought to an end.

The kernel knows how many bytes it was given for a connection, and the worker's ledger at which numbers of bytes a
client has whole events. Where one fits the other, an error, `done` and the end of the answer are sent in the worker's
place. Where they do not, as for a client that is slow to take what it gets, or without the means of Linux, the
connection is cut, so that no client takes half an event for one.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING, Final

import msgspec

from sentient_cli.dev.kernel_counts import bytes_given, counts_are_true
from sentient_cli.server.descriptors import descriptor_limit
from sentient_cli.server.ledger import Ledger, State, make_ledger

if TYPE_CHECKING:
    from collections.abc import Collection

    from sentient_cli.dev.last_words import LastWords

__all__ = ["LEDGER", "NO_PAGE", "PAGE", "Kept"]

LEDGER: Final = b"l"
"""Goes to a worker with the descriptor of its ledger, before all connections."""
PAGE: Final = struct.Struct("=H")
"""Goes to a worker with each connection: the number of its page."""
NO_PAGE: Final = 0xFFFF
"""In the place of a page's number: the connection has none."""
_MOST: Final = 1024
_SHARE: Final = 4
"""Of so many descriptors that this process may have, one at most is of a connection that is kept."""
_UNREAD: Final = 64 * 1024
_PIECES: Final = 64
"""Of what is unread: a connection that is closed with some of it has the client's end throw away what it was sent."""


class _Connection(msgspec.Struct, frozen=True, eq=False):
    socket: socket.socket
    before: int
    """What it had been given before the worker got it."""


class Kept:
    """The connections of one worker.

    Args:
        most: How many are kept at a time; None: as many as this process can spare.
    """

    def __init__(self, most: int | None = None) -> None:
        pages = min(_MOST, descriptor_limit() // _SHARE) if most is None else most
        made = make_ledger(pages)
        self._ledger: Ledger | None = None if made is None else made[0]
        self.descriptor: int | None = None if made is None else made[1]
        """Of the ledger, for the worker."""
        self._free = list(range(pages - 1, -1, -1)) if made is not None else []
        self._connections: dict[int, _Connection] = {}

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._connections)

    def shared(self) -> None:
        """The worker has the ledger, or never will."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def keep(self, connection: socket.socket) -> int:
        """Keep a connection that is about to be handed over.

        Returns:
            The number of its page, or `NO_PAGE`: it is not kept.
        """
        if not self._free or self._ledger is None or (before := bytes_given(connection)) is None:
            return NO_PAGE
        number = self._free.pop()
        self._ledger.turn(number)
        self._connections[number] = _Connection(connection, before)
        return number

    def forget(self, number: int) -> None:
        """A connection was not handed over after all."""
        if self._connections.pop(number, None) is not None:
            self._free.append(number)

    def sweep(self) -> None:
        """Let go of those that the worker is done with."""
        ledger = self._ledger
        if ledger is None:
            return
        for number in [number for number in self._connections if ledger.state(number) is State.CLOSED]:
            self._connections[number].socket.close()
            self.forget(number)

    def part(self, going_on: Collection[str], words: LastWords) -> list[socket.socket]:
        """End every answer, now that the worker's process is no more.

        Args:
            going_on: The ids of its runs that have no end.
            words: What their clients are told.

        Returns:
            Connections of which nobody has read anything: somebody else can answer them.
        """
        kept, self._connections = self._connections, {}
        unread: list[socket.socket] = []
        is_sure = bool(kept) and counts_are_true()
        for number, connection in kept.items():
            state = State.CLOSED if self._ledger is None else self._ledger.state(number)
            if state is State.ON_ITS_WAY:
                unread.append(connection.socket)
                continue
            if state is State.TAKEN and self._ledger is not None and is_sure:
                _send(connection.socket, _ending(self._ledger, number, connection, going_on, words))
            connection.socket.close()
        return unread

    def close(self) -> None:
        """Let go of everything. May be called twice."""
        self.shared()
        for connection in self._connections.values():
            connection.socket.close()
        self._connections.clear()
        self._free.clear()
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None


def _ending(ledger: Ledger, number: int, connection: _Connection, going_on: Collection[str], words: LastWords) -> bytes:
    """What brings an answer to an end; nothing where that is not certain."""
    given = bytes_given(connection.socket)
    if given is None:
        return b""
    if given == connection.before:
        return b"" if ledger.begun(number) else words.refusal()
    ends, answering = ledger.ends(number), ledger.answering(number)
    if answering is None or answering.run not in going_on or given - connection.before not in ends:
        return b""
    return words.ending(answering, max(ends.values()))


def _send(connection: socket.socket, words: bytes) -> None:
    """Send what fits: it is little, and the kernel had room for everything before it."""
    if not words:
        return
    with contextlib.suppress(OSError):
        connection.send(words)
        connection.shutdown(socket.SHUT_WR)
        for _ in range(_PIECES):
            if not connection.recv(_UNREAD):
                break
