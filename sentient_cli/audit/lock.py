"""One writer at a time: among the threads of a process, and among processes by a lock on the log itself."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import AuditError
from sentient_cli.file_locks import Gate, give_back, hold, let_go, take_within

__all__ = ["locked"]

_FAR: Final = 1 << 40
"""A byte behind all text: what is locked on Windows cannot be read."""
_gate: Final = Gate()


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
            give_back(descriptor, at=_FAR)
            let_go(descriptor)
    finally:
        gate.release()


def _lock_of(path: Path, opened: Callable[[], int], give_up: float, seconds: float) -> int:
    while True:
        descriptor = hold(opened())
        try:
            is_locked = take_within(descriptor, give_up - time.monotonic(), at=_FAR)
            is_there = _is_there(path, descriptor)
        except BaseException:
            let_go(descriptor)
            raise
        if is_locked and is_there:
            return descriptor
        let_go(descriptor)
        if not is_locked:
            raise _busy(path, seconds)
        # It was moved away while we waited.


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
