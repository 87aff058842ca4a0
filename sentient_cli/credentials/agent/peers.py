"""Unix sockets: who is at the other end, as the system says, and how one is named that lies deep down."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

__all__ = ["LONGEST_PATH", "is_ours", "is_supported", "named"]

LONGEST_PATH: Final = 100
"""Bytes: a little less than every system takes for a socket."""

_LINUX: Final = struct.Struct("=iII")
_MACOS: Final = struct.Struct("=II")
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1


def is_supported() -> bool:
    """Whether this system says who it is."""
    return sys.platform in {"linux", "darwin"}


def is_ours(connection: socket.socket) -> bool:
    """Whether the other end is a process of this user.

    Args:
        connection: The socket.
    """
    if sys.platform == "linux":
        _, user, _ = _LINUX.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _LINUX.size))
    elif sys.platform == "darwin":  # pragma: no cover - another operating system
        _, user = _MACOS.unpack(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 128)[: _MACOS.size])
    else:  # pragma: no cover - another operating system
        return False
    return int(user) == os.geteuid()


@contextlib.contextmanager
def named(path: Path) -> Generator[str]:
    """What a socket is bound or connected to by: its path, or on Linux a shorter one where that is too long.

    Raises:
        OSError: its folder cannot be opened.
    """
    if len(os.fsencode(path)) <= LONGEST_PATH or sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
