"""Hands each connection to whoever answers it: one look at the request's first line, and the connection is theirs.

No byte of a request or an answer passes through here, so that a stream costs nothing and nothing breaks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import select
import socket
from collections.abc import Callable
from enum import Enum
from typing import Final

import msgspec

from sentient_cli.server.descriptors import descriptor_limit

__all__ = ["Router", "Where", "destination"]

_FIRST_LINE: Final = re.compile(rb"[A-Za-z]+ +(?:[A-Za-z]+://[^/ ]*)?([^ ?\r\n]*)")
_RUN: Final = re.compile(rb"/runs/[0-9a-f]{32}-([0-9]{1,9})(?:/.*)?")
_PEEKED: Final = 4096
_AT_ONCE: Final = 64
_AGAIN: Final = 0.02
_PAUSE: Final = 0.1
_MOST_WAITING: Final = 1024
_SHARE: Final = 4
"""Of so many descriptors that this process may have, one at most is of a client that waits."""
_HAS_LEFT: Final = getattr(select, "POLLRDHUP", 0)
"""Only Linux has it. A client that will say no more is gone: no answer would be sent to it anyhow."""
_HUB_PATHS: Final = (b"/_sentient", b"/favicon.ico")

_logger = logging.getLogger(__name__)


class Where(Enum):
    """Who answers a request."""

    HUB = "hub"
    """What has no user code."""
    AGENT = "agent"
    """The generation that answers now."""


def destination(head: bytes) -> Where | int:
    """Who answers, by the beginning of a request.

    Args:
        head: Its first line, or what there is of it.

    Returns:
        A number: the generation that has the run which the request is about.

    Example:
        >>> destination(b"POST /assist HTTP/1.1"), destination(b"GET / HTTP/1.1")
        (<Where.AGENT: 'agent'>, <Where.HUB: 'hub'>)
        >>> destination(b"GET /runs/00112233445566778899aabbccddeeff-7/events HTTP/1.1")
        7
    """
    found = _FIRST_LINE.match(head)
    path = found[1] if found is not None else b""
    if path == b"/" or path.startswith(_HUB_PATHS):
        return Where.HUB
    run = _RUN.fullmatch(path)
    return int(run[1]) if run is not None else Where.AGENT


class _Newcomer(msgspec.Struct, eq=False):
    """A connection that nobody has yet."""

    connection: socket.socket
    descriptor: int
    until: float
    timer: asyncio.TimerHandle | None = None
    head: bytes | None = None
    """The beginning of its request, once it is known and somebody was asked to take it."""


class Router:
    """Accepts connections, and hands them over.

    Args:
        listener: Listens.
        hand_over: Takes a connection and the beginning of its request; False: nobody can take it just now.
        refuse: Takes a connection that nobody could take for too long, and says so to the client.
        patience: Seconds that a client may say nothing.
        hold: Seconds that a client waits at most for somebody to take it.
    """

    def __init__(
        self,
        listener: socket.socket,
        hand_over: Callable[[socket.socket, bytes], bool],
        refuse: Callable[[socket.socket], None],
        *,
        patience: float,
        hold: float = 30.0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._hand_over = hand_over
        self._refuse = refuse
        self._patience = patience
        self._hold = hold
        self._most = min(_MOST_WAITING, descriptor_limit() // _SHARE)
        self._newcomers: set[_Newcomer] = set()
        self._held: dict[int, _Newcomer] = {}
        self._departures = select.poll()
        self._again: asyncio.TimerHandle | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._accepting = False
        self._stopped = False
        listener.setblocking(False)

    def start(self) -> None:
        """Begin to accept."""
        if not self._accepting:
            self._accepting = True
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def take_back(self, connection: socket.socket) -> None:
        """Hand a connection over once more: whoever had it is gone, and has not read anything of it."""
        if self._stopped:
            connection.close()
            return
        newcomer = _Newcomer(connection, connection.fileno(), self._loop.time() + self._patience)
        self._newcomers.add(newcomer)
        self._look(newcomer)

    def release(self) -> None:
        """Try again now to hand over those whom nobody could take."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if not self._held:
            return
        for descriptor, _ in self._departures.poll(0):
            self._drop(self._held[descriptor])
        for newcomer in list(self._held.values()):
            self._offer(newcomer)
        if self._held:
            self._again = self._loop.call_later(_AGAIN, self.release)

    def stop(self) -> None:
        """Accept no more, and let go of who waits."""
        self._stopped = True
        self._stop_accepting()
        for timer in (self._again, self._resume):
            if timer is not None:
                timer.cancel()
        for newcomer in list(self._newcomers):
            self._drop(newcomer)

    def _stop_accepting(self) -> None:
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._listener.fileno())

    def _pause(self) -> None:
        """The others wait before the door for a moment."""
        self._stop_accepting()
        self._resume = self._loop.call_later(_PAUSE, self.start)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor is left: those who wait may let go of some
                _logger.warning("No connection can be accepted just now: %s", error)
                self._pause()
                return
            connection.setblocking(False)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            newcomer = _Newcomer(connection, connection.fileno(), self._loop.time() + self._patience)
            self._newcomers.add(newcomer)
            self._look(newcomer)
            if len(self._newcomers) > self._most:
                self._pause()
                return

    def _look(self, newcomer: _Newcomer) -> None:
        """See what the client asks for, and hand it over when that is known."""
        self._wait_no_more(newcomer)
        try:
            head = newcomer.connection.recv(_PEEKED, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            head = None
        except OSError:
            head = b""
        left = newcomer.until - self._loop.time()
        if head == b"":  # it has left
            self._drop(newcomer)
        elif head is not None and (b"\n" in head or len(head) == _PEEKED):
            newcomer.head = head
            self._offer(newcomer)
        elif left <= 0:
            self._drop(newcomer)
        elif head is None:
            newcomer.timer = self._loop.call_later(left, self._drop, newcomer)
            self._loop.add_reader(newcomer.descriptor, self._look, newcomer)
        else:  # the beginning stays readable, so that waiting for more of it would never sleep
            newcomer.timer = self._loop.call_later(_AGAIN, self._look, newcomer)

    def _wait_no_more(self, newcomer: _Newcomer) -> None:
        self._loop.remove_reader(newcomer.descriptor)
        if newcomer.timer is not None:
            newcomer.timer.cancel()
            newcomer.timer = None

    def _offer(self, newcomer: _Newcomer) -> None:
        if self._hand_over(newcomer.connection, newcomer.head or b""):
            self._forget(newcomer)
        elif newcomer.descriptor not in self._held:
            self._keep(newcomer)
        elif self._loop.time() >= newcomer.until:
            self._forget(newcomer)
            self._refuse(newcomer.connection)

    def _keep(self, newcomer: _Newcomer) -> None:
        """Have it wait until somebody can take it."""
        newcomer.until = self._loop.time() + self._hold
        self._held[newcomer.descriptor] = newcomer
        self._departures.register(newcomer.descriptor, _HAS_LEFT)
        if self._again is None:
            self._again = self._loop.call_later(_AGAIN, self.release)

    def _drop(self, newcomer: _Newcomer) -> None:
        self._wait_no_more(newcomer)
        self._forget(newcomer)
        with contextlib.suppress(OSError):
            newcomer.connection.close()

    def _forget(self, newcomer: _Newcomer) -> None:
        self._newcomers.discard(newcomer)
        if self._held.pop(newcomer.descriptor, None) is not None:
            self._departures.unregister(newcomer.descriptor)
