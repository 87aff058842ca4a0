"""How many bytes the kernel has taken for a connection, whichever process has written them."""

from __future__ import annotations

import array
import socket
import struct
import sys
from functools import cache
from typing import Final

__all__ = ["bytes_given", "counts_are_true"]

_ACKED_AT: Final = 120
"""Where ``tcpi_bytes_acked`` is in Linux's ``tcp_info``."""
_ACKED: Final = struct.Struct("=Q")
_LOOKS: Final = 8
_PATIENCE: Final = 1.0


def bytes_given(connection: socket.socket) -> int | None:
    """How many bytes the kernel has taken for a connection since it began; None where it does not tell.

    Args:
        connection: Of TCP, on the side that accepted it.
    """
    if sys.platform != "linux":
        return None
    import fcntl  # noqa: PLC0415 - of Unix
    import termios  # noqa: PLC0415

    waiting = array.array("i", [0])
    try:
        for _ in range(_LOOKS):  # what is acknowledged between two looks would be missing
            acknowledged = _acknowledged(connection)
            fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, waiting)
            if acknowledged == _acknowledged(connection):
                return acknowledged + waiting[0]
    except (OSError, ValueError, struct.error):
        pass
    return None


def _acknowledged(connection: socket.socket) -> int:
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AT + _ACKED.size)
    (found,) = _ACKED.unpack_from(told, _ACKED_AT)
    return int(found)


@cache
def counts_are_true() -> bool:
    """Whether this system counts what it says it counts: some that pass for Linux leave the numbers at 0.

    Example:
        >>> counts_are_true() or sys.platform != "linux" or "a system that only passes for Linux"
        True
    """
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname(), timeout=_PATIENCE)
            with client, listener.accept()[0] as server:
                for total, text in ((7, b"one two"), (10, b" 3.")):
                    server.sendall(text)
                    if bytes_given(server) != total or client.recv(64) != text or bytes_given(server) != total:
                        return False
    except OSError:
        return False
    return True
