"""Hands each connection to whoever answers it: one look at the request's first line, and the connection is theirs.

No byte of a request or an answer passes through here, so that a stream costs nothing and nothing breaks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = ["Router", "Where", "destination"]

_FIRST_LINE: Final = re.compile(rb"[A-Za-z]+ +(?:[A-Za-z]+://[^/ ]*)?([^ ?\r\n]*)")
_RUN: Final = re.compile(rb"/runs/[0-9a-f]{32}-([0-9]{1,9})(?:/.*)?")
_PEEKED: Final = 4096
_AT_ONCE: Final = 64
_AGAIN: Final = 0.02
_MAX_WAITING: Final = 1024
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


@dataclass(eq=False, slots=True)
class _Newcomer:
    """A connection that nobody has yet."""

    connection: socket.socket
    until: float
    head: bytes = b""


class Router:
    """Accepts connections, and hands them over.

    Args:
        listener: Listens.
        hand_over: Takes a connection and the beginning of its request; False: nobody can take it just now.
        patience: Seconds that a client may say nothing.
    """

    def __init__(
        self, listener: socket.socket, hand_over: Callable[[socket.socket, bytes], bool], patience: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._hand_over = hand_over
        self._patience = patience
        self._newcomers: set[_Newcomer] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._held: dict[_Newcomer, bytes] = {}
        self._accepting = False
        listener.setblocking(False)

    def start(self) -> None:
        """Begin to accept."""
        if not self._accepting:
            self._accepting = True
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def release(self) -> None:
        """Try again now to hand over those whom nobody could take."""
        held, self._held = self._held, {}
        for newcomer, head in held.items():
            self._offer(newcomer, head)

    def stop(self) -> None:
        """Accept no more, and let go of who waits."""
        self._pause()
        for timer in self._timers:
            timer.cancel()
        for newcomer in list(self._newcomers):
            self._let_go(newcomer)
            newcomer.connection.close()

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            self._loop.remove_reader(self._listener.fileno())

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptor is left: those who wait may let go of some
                _logger.warning("No connection can be accepted just now: %s", error)
                self._pause()
                self._later(self.start, 0.1)
                return
            connection.setblocking(False)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            newcomer = _Newcomer(connection, self._loop.time() + self._patience)
            self._newcomers.add(newcomer)
            self._look(newcomer)
            if len(self._newcomers) > _MAX_WAITING:
                self._pause()  # the others wait before the door
                self._later(self.start, 0.1)
                return

    def _later(self, work: Callable[[], None], seconds: float) -> None:
        def run() -> None:
            self._timers.discard(timer)
            work()

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def _look(self, newcomer: _Newcomer) -> None:
        """See what the client asks for, and hand it over when that is known."""
        if newcomer not in self._newcomers:
            return
        connection = newcomer.connection
        self._loop.remove_reader(connection.fileno())
        try:
            head = connection.recv(_PEEKED, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            head = None
        except OSError:
            head = b""
        if head == b"":  # it has left
            self._drop(newcomer)
        elif head is None:
            self._wait_for_words(newcomer)
        elif b"\n" in head or len(head) == _PEEKED:
            self._offer(newcomer, head)
        elif self._loop.time() >= newcomer.until:
            self._drop(newcomer)
        else:  # the beginning stays readable, so that waiting for more of it would never sleep
            self._later(lambda: self._look(newcomer), _AGAIN)

    def _wait_for_words(self, newcomer: _Newcomer) -> None:
        left = newcomer.until - self._loop.time()
        if left <= 0:
            self._drop(newcomer)
            return
        timer = self._loop.call_later(left, self._drop, newcomer)

        def readable() -> None:
            timer.cancel()
            self._timers.discard(timer)
            self._look(newcomer)

        self._timers.add(timer)
        self._loop.add_reader(newcomer.connection.fileno(), readable)

    def _offer(self, newcomer: _Newcomer, head: bytes) -> None:
        if newcomer not in self._newcomers:
            return
        if self._hand_over(newcomer.connection, head):
            self._let_go(newcomer)
        else:
            if not self._held:
                self._later(self.release, _AGAIN)
            self._held[newcomer] = head

    def _drop(self, newcomer: _Newcomer) -> None:
        if newcomer in self._newcomers:
            self._let_go(newcomer)
            with contextlib.suppress(OSError):
                newcomer.connection.close()

    def _let_go(self, newcomer: _Newcomer) -> None:
        self._newcomers.discard(newcomer)
        self._held.pop(newcomer, None)
        if newcomer.connection.fileno() != -1:
            self._loop.remove_reader(newcomer.connection.fileno())
