"""One writer at a time, of all threads and processes, by the lock of a file that is never replaced.

Other than a lock among threads it can be held by a thread that waits for somebody, such as for the answer to a prompt:
whoever else wants it gives up after a time.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from sentient_cli.credentials.stores.places import open_own, require_folder, told
from sentient_cli.errors import CredentialStoreError

__all__ = ["locked"]

_FIRST_WAIT: Final = 0.001
_LONGEST_WAIT: Final = 0.02
_held: Final[set[int]] = set()


def _forget_all() -> None:
    """In a child that is forked meanwhile: a lock is shared with whoever has its descriptor, and would outlive us."""
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


@contextlib.contextmanager
def locked(path: Path, patience: float) -> Generator[None]:
    """Hold a lock.

    Args:
        path: Its file, which is made when it is not there, with its folder.
        patience: Seconds to wait for others.

    Raises:
        CredentialStoreError: others held it all the time, or the file cannot be made.
    """
    require_folder(path.parent)
    with told(path):
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    _held.add(descriptor)
    try:
        _wait_for(descriptor, path, patience)
        yield
    finally:
        _held.discard(descriptor)
        with contextlib.suppress(OSError):
            _give_back(descriptor)
        os.close(descriptor)


def _wait_for(descriptor: int, path: Path, patience: float) -> None:
    give_up = time.monotonic() + patience
    wait = _FIRST_WAIT
    while not _taken(descriptor):
        if time.monotonic() >= give_up:
            raise CredentialStoreError(
                "The credentials are in use",
                why=f"Another process, or a prompt that waits for an answer, has held {path} for {patience:g} s",
                fix="Let it finish, or end it, and try again; nothing was changed",
            )
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


if sys.platform == "win32":  # pragma: no cover - another operating system
    import msvcrt

    def _taken(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _give_back(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _taken(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _give_back(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
