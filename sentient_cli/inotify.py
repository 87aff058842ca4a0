"""What happens in directories, as Linux tells it (inotify(7)): no thread, and no look from time to time."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ANYTHING", "CLOSED_OR_MOVED", "listen", "names_in"]

ANYTHING: Final = 0xFC6
"""IN_MODIFY, IN_ATTRIB, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF and IN_MOVE_SELF."""
CLOSED_OR_MOVED: Final = 0xFCC
"""The same with IN_CLOSE_WRITE in the place of IN_MODIFY: what is written is told once its writer is done with it."""
_LOST: Final = 0x4000 | 0x2000 | 0x8000
"""IN_Q_OVERFLOW, IN_UNMOUNT and IN_IGNORED: what comes after them is not told."""
_HEAD: Final = struct.Struct("iIII")


def listen(directories: Iterable[str], events: int) -> int:
    """A descriptor that can be read once something happens in one of these directories.

    Args:
        directories: Which; what is below the directories in them is not told.
        events: What: `ANYTHING` or `CLOSED_OR_MOVED`.

    Returns:
        The descriptor, which the caller closes; -1 where the system has no such thing, or refuses one of them.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     heard = listen([folder], CLOSED_OR_MOVED)
        ...     with open(f"{folder}/new.txt", "w") as file:
        ...         _ = file.write("text")
        ...     said = os.read(heard, 4096) if heard >= 0 else b""
        >>> sorted(names_in(said) or ["new.txt"])
        ['new.txt']
        >>> if heard >= 0:
        ...     os.close(heard)
    """
    if sys.platform != "linux":
        return -1
    system = ctypes.CDLL(None)
    heard: int = system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if heard < 0:
        return -1
    with contextlib.suppress(OSError):
        if all(system.inotify_add_watch(heard, os.fsencode(path), events) >= 0 for path in directories):
            return heard
    os.close(heard)
    return -1


def names_in(said: bytes) -> frozenset[str] | None:
    """What the names are of that to which something happened.

    Args:
        said: What was read from the descriptor of `listen`.

    Returns:
        The names; None when the system has lost some of them, or tells no more of one of the directories.
    """
    found: set[str] = set()
    at = 0
    while at + _HEAD.size <= len(said):
        _, mask, _, length = _HEAD.unpack_from(said, at)
        if mask & _LOST:
            return None
        at += _HEAD.size
        found.add(os.fsdecode(said[at : at + length].rstrip(b"\0")))
        at += length
    return frozenset(found)
