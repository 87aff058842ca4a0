"""The lock of a file, by its descriptor: the system gives it up when the process ends, whatever ends it.

A lock is shared with whoever has the descriptor. So a child that is forked meanwhile closes those that are held: it
would keep the lock when we have long given it back.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Gate", "give_back", "hold", "let_go", "on_fork", "take", "take_within"]

_held: Final[set[int]] = set()
_FIRST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.02


def hold(descriptor: int) -> int:
    """Have a child that is forked from now on close this; it is returned.

    Args:
        descriptor: Of a file that is or will be locked.
    """
    _held.add(descriptor)
    return descriptor


def let_go(descriptor: int) -> None:
    """Close it, and so give up what lock it has."""
    _held.discard(descriptor)
    os.close(descriptor)


def on_fork(renew: Callable[[], None]) -> None:
    """Call something in each child that is forked, where the system forks.

    Args:
        renew: Makes locks among threads anew, which another thread may have held.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


def _close_all() -> None:
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


on_fork(_close_all)


class Gate:
    """Lets one thread of this process in, again and again. A child that is forked meanwhile has a gate that is open.

    Example:
        >>> gate = Gate()
        >>> with gate.lock, gate.lock:
        ...     pass
    """

    def __init__(self) -> None:
        self.lock: threading.RLock = threading.RLock()
        on_fork(self._renew)

    def _renew(self) -> None:
        self.lock = threading.RLock()


def take_within(descriptor: int, seconds: float, *, at: int = 0) -> bool:
    """Take the lock as soon as it is free; whether it came to that.

    Args:
        descriptor: Of the file.
        seconds: How long to wait for it.
        at: Which byte, for Windows.
    """
    give_up, wait = time.monotonic() + seconds, _FIRST_WAIT
    while not take(descriptor, at=at):
        if time.monotonic() >= give_up:
            return False
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
    return True


if sys.platform == "win32":  # pragma: no cover - another operating system
    import msvcrt

    def take(descriptor: int, *, at: int = 0) -> bool:
        """Take the lock if it is free; whether it was. On Windows a byte is locked, and nobody can read it then.

        Args:
            descriptor: Of the file.
            at: Which byte, for Windows.
        """
        os.lseek(descriptor, at, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def give_back(descriptor: int, *, at: int = 0) -> None:
        """Give the lock back before the file is closed, if it was taken."""
        os.lseek(descriptor, at, os.SEEK_SET)
        with contextlib.suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def take(descriptor: int, *, at: int = 0) -> bool:  # noqa: ARG001 - of Windows
        """Take the lock if it is free; whether it was.

        Args:
            descriptor: Of the file.
            at: Which byte, for Windows.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryFile() as file:
            ...     take(file.fileno()), give_back(file.fileno())
            (True, None)
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(descriptor: int, *, at: int = 0) -> None:  # noqa: ARG001 - of Windows
        """Give the lock back before the file is closed, if it was taken."""
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
