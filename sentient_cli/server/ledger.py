"""How far each answer of a process is on its connection, in memory that another one reads when it has crashed.

With what the kernel knows of a connection this tells, without a doubt, whether an answer can be ended in its place.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    import mmap
    from collections.abc import Mapping

    from starlette.types import Scope

__all__ = ["LEDGER", "Answering", "Ledger", "Page", "State", "make_ledger", "page_of"]

LEDGER: Final = "sentient.ledger"
"""In the scope of a request: the page of its connection."""
_PAGE: Final = 2048
_RING: Final = 8
"""Writes whose ends are remembered: what one turn of the loop writes may be lost together."""
_TURNS: Final = struct.Struct("<QQ")
_RING_AT: Final = 8
_SIZE: Final = struct.Struct("<I")
_SIZE_AT: Final = _RING_AT + _RING * _TURNS.size
_WORDS_AT: Final = _SIZE_AT + _SIZE.size


class State(IntEnum):
    """Where a connection is."""

    ON_ITS_WAY = 0
    """Nobody has read anything of it."""
    TAKEN = 1
    """It is answered."""
    CLOSED = 2
    """It is answered, or was given up."""


class Answering(msgspec.Struct, frozen=True):
    """Which stream of events a connection gets.

    Args:
        run: The run's id.
        source: The ``source`` of its events.
        chunked: Whether it is sent in chunks; else it ends where the connection does.
        lead: Nanoseconds by which the clock of its events is ahead of the monotonic one, which all processes share.
    """

    run: str
    source: str
    chunked: bool
    lead: int = 0


class Ledger:
    """Pages of connections, by their numbers.

    Args:
        memory: All of them.
    """

    def __init__(self, memory: mmap.mmap | bytearray) -> None:
        self.memory: mmap.mmap | bytearray = memory

    @classmethod
    def over(cls, descriptor: int) -> Ledger:
        """The ledger behind a descriptor, which is closed.

        Raises:
            OSError: there is none.
        """
        import mmap  # noqa: PLC0415 - for few

        try:
            return cls(mmap.mmap(descriptor, 0))
        finally:
            os.close(descriptor)

    @property
    def pages(self) -> int:
        """How many there are."""
        return len(self.memory) // _PAGE

    def forget(self) -> None:
        """Write into nobody's memory from now on: this is a copy of the process whose ledger it is."""
        self.memory = bytearray(len(self.memory))

    def close(self) -> None:
        """Let go of the memory."""
        if not isinstance(self.memory, bytearray):
            self.memory.close()

    # -- for whoever reads -------------------------------------------------------------------------------------------

    def turn(self, number: int) -> None:
        """Make a page blank."""
        at = number * _PAGE
        self.memory[at : at + _WORDS_AT] = bytes(_WORDS_AT)

    def state(self, number: int) -> State:
        """Where a connection is."""
        with contextlib.suppress(ValueError):
            return State(self.memory[number * _PAGE])
        return State.CLOSED

    def begun(self, number: int) -> bool:
        """Whether anything was written on a connection, or was about to be."""
        at = number * _PAGE + _RING_AT
        return any(self.memory[at : at + _RING * _TURNS.size])

    def ends(self, number: int) -> Mapping[int, int]:
        """How many bytes a connection had got after each of the last writes, and the seq of the event that it had then.

        What no event may follow is left out: an answer of another kind, or one that is complete.
        """
        turns = [_TURNS.unpack_from(self.memory, number * _PAGE + _RING_AT + _TURNS.size * n) for n in range(_RING)]
        return {end: mark - 1 for end, mark in turns if mark}

    def answering(self, number: int) -> Answering | None:
        """Which stream a connection gets; None: none."""
        at = number * _PAGE
        (size,) = _SIZE.unpack_from(self.memory, at + _SIZE_AT)
        if not 0 < size <= _PAGE - _WORDS_AT:
            return None
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(self.memory[at + _WORDS_AT : at + _WORDS_AT + size], type=Answering)
        return None


def make_ledger(pages: int) -> tuple[Ledger, int] | None:
    """A blank ledger, and a descriptor to share it by; None where this system has no such thing.

    Args:
        pages: How many connections there may be at a time.

    Example:
        >>> made = make_ledger(4)
        >>> if made is not None:
        ...     ledger, descriptor = made
        ...     writer = Ledger.over(descriptor)
        ...     page = Page(writer, 2)
        ...     page.begin(Answering("5f36", "tests", chunked=True))
        ...     page.mark(7)
        ...     page.wrote(100)
        ...     assert (ledger.state(2), ledger.ends(2)) == (State.TAKEN, {100: 7})
        ...     ledger.close(), writer.close()
        (None, None)
    """
    if sys.platform != "linux":
        return None
    import fcntl  # noqa: PLC0415 - of Unix
    import mmap  # noqa: PLC0415 - for few

    descriptor = -1
    try:
        descriptor = os.memfd_create("sentient-ledger", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, pages * _PAGE)
        # Whoever has it can make it neither shorter nor longer: to read what is not there would end this process.
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return Ledger(mmap.mmap(descriptor, pages * _PAGE)), descriptor
    except OSError:
        if descriptor != -1:
            os.close(descriptor)
        return None


class Page:
    """The page of one connection, for whoever answers on it.

    Args:
        ledger: Has it.
        number: Which.
        connection: It. Whoever reads the ledger has it open too, so that to close it here would not end it.
    """

    __slots__ = ("_at", "_connection", "_ledger", "_mark", "_next", "_written")

    def __init__(self, ledger: Ledger, number: int, connection: socket.socket | None = None) -> None:
        self._ledger = ledger
        self._connection = connection
        self._at = number * _PAGE
        self._next = 0
        self._written = 0
        self._mark = 0
        ledger.memory[self._at] = State.TAKEN

    def begin(self, answering: Answering) -> None:
        """A stream of events begins: what is written next is its head."""
        words = msgspec.json.encode(answering)
        if len(words) > _PAGE - _WORDS_AT:
            return
        at, memory = self._at, self._ledger.memory
        memory[at + _WORDS_AT : at + _WORDS_AT + len(words)] = words
        _SIZE.pack_into(memory, at + _SIZE_AT, len(words))
        self._mark = 1

    def mark(self, seq: int) -> None:
        """What is written next ends with the event of this seq."""
        if self._mark:
            self._mark = seq + 1

    def end(self) -> None:
        """What is written next is the end of the answer."""
        self._mark = 0

    def wrote(self, size: int) -> None:
        """So many bytes are about to be written, all in one."""
        self._written = end = self._written + size
        turn = self._next
        self._next = (turn + 1) % _RING
        _TURNS.pack_into(self._ledger.memory, self._at + _RING_AT + turn * _TURNS.size, end, self._mark)

    def close(self) -> None:
        """Nothing more is written, and the client is told so."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._ledger.memory[self._at] = State.CLOSED
        self._ledger, self._at = _NOBODYS, 0  # from now on the page may be another connection's


_NOBODYS: Final = Ledger(bytearray(_PAGE))


def page_of(scope: Scope) -> Page | None:
    """The page of the connection that a request came on, if it has one."""
    page: object = scope.get(LEDGER)
    return page if isinstance(page, Page) else None
