"""One writer at a time: among the threads of a process, and among processes by a lock on the log itself."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import AuditError

__all__ = ["locked"]

_FIRST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.02


class _Gate:
    """Lets one thread of this process in, and knows which descriptors are locked for it.

    A child that is forked meanwhile begins with a gate that is open, and without the descriptors: the lock of a file is
    shared with a child that has them, and would outlive us in it.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.descriptors: set[int] = set()

    def renew(self) -> None:
        """Begin anew, in a child."""
        for descriptor in self.descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self.lock = threading.Lock()
        self.descriptors = set()


_gate: Final = _Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_gate.renew)


@contextlib.contextmanager
def locked(path: Path, opened: Callable[[], int], seconds: float) -> Generator[int]:
    """Hold the lock of a file.

    Args:
        path: The file.
        opened: Opens it.
        seconds: How long to wait for others.

    Yields:
        Its descriptor, which is closed in the end.

    Raises:
        AuditError: others held it all the time.
        OSError: it cannot be opened.
    """
    give_up = time.monotonic() + seconds
    gate = _gate.lock
    if not gate.acquire(timeout=seconds):
        raise _busy(path, seconds)
    try:
        descriptor = _lock_of(path, opened, give_up, seconds)
        try:
            yield descriptor
        finally:
            _gate.descriptors.discard(descriptor)
            with contextlib.suppress(OSError):
                _unlock(descriptor)
            os.close(descriptor)
    finally:
        gate.release()


def _lock_of(path: Path, opened: Callable[[], int], give_up: float, seconds: float) -> int:
    while True:
        descriptor = opened()
        _gate.descriptors.add(descriptor)
        try:
            is_locked = _waited_for(descriptor, give_up)
            is_there = _is_there(path, descriptor)
        except BaseException:
            _forget(descriptor)
            raise
        if is_locked and is_there:
            return descriptor
        _forget(descriptor)
        if not is_locked:
            raise _busy(path, seconds)
        # It was moved away while we waited.


def _waited_for(descriptor: int, give_up: float) -> bool:
    wait = _FIRST_WAIT
    while not _try_lock(descriptor):
        if time.monotonic() >= give_up:
            return False
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
    return True


def _forget(descriptor: int) -> None:
    _gate.descriptors.discard(descriptor)
    os.close(descriptor)


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _busy(path: Path, seconds: float) -> AuditError:
    return AuditError(
        "The audit log is in use",
        why=f"Another process has held {path} for {seconds:g} s",
        fix="Let it finish, or end it, and try again",
    )


if sys.platform == "win32":  # pragma: no cover - another operating system
    import msvcrt

    _FAR: Final = 1 << 40
    """A byte behind all text, which stays readable to others."""

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
