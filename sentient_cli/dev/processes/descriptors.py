"""Descriptors that come over a socket, and stay in the process that they came to."""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["keep_from_copies", "receive"]

_CLOSED_ON_EXEC: Final[int] = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def receive(connection: socket.socket, size: int, most: int) -> tuple[bytes, list[int]]:
    """Receive a message with descriptors, which programs that are started later do not get.

    Args:
        connection: A connected Unix socket.
        size: Bytes of the message, at most.
        most: How many descriptors there may be.

    Raises:
        OSError: there is nothing to receive now, or never.

    Example:
        >>> here, there = socket.socketpair(socket.AF_UNIX)
        >>> with here, there:
        ...     _ = socket.send_fds(here, [b"take this"], [0])
        ...     message, (found,) = receive(there, 64, 1)
        >>> message, os.get_inheritable(found), os.close(found)
        (b'take this', False, None)
    """
    # Not by `socket.recv_fds`, which passes no flags on: another thread may start a program at any moment.
    descriptors = array.array("i")
    room = socket.CMSG_LEN(most * descriptors.itemsize)
    data, parts, _, _ = connection.recvmsg(size, room, _CLOSED_ON_EXEC)
    for level, kind, part in parts:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(part[: len(part) - len(part) % descriptors.itemsize])
    for descriptor in descriptors if not _CLOSED_ON_EXEC else ():
        os.set_inheritable(descriptor, False)
    return data, list(descriptors)


def keep_from_copies(descriptors: Callable[[], Iterable[int]]) -> None:
    """Have copies that this process makes of itself, as `os.fork` and `multiprocessing` do, let go of descriptors.

    A copy that holds them would keep a connection open when this process has closed it, and even when it has ended.
    In the copy their numbers lead to nothing, so that whoever closes them there closes nothing else.

    Args:
        descriptors: Tells, in the copy, which.
    """

    def let_go() -> None:
        with contextlib.suppress(OSError):
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in descriptors():
                os.dup2(nothing, descriptor, inheritable=False)
            os.close(nothing)

    os.register_at_fork(after_in_child=let_go)
