"""A directory that several processes share: its lock, and files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import StoreError
from sentient_cli.file_locks import give_back, take_within
from sentient_cli.own_files import PRIVATE, sync_folder

__all__ = ["SharedDirectory", "disk_error", "read_all", "write_all"]

_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def disk_error(path: Path, error: OSError) -> StoreError:
    """What an error of the operating system means for the store at ``path``."""
    return StoreError(
        f"The store {path} cannot be used",
        why=error.strerror or type(error).__name__,
        fix="Check the free space and the permissions of its disk",
    )


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however often the operating system has to be asked."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_all(descriptor: int, size: int) -> bytes:
    """Read that many bytes, or fewer when the file ends before."""
    parts: list[bytes] = []
    while size > 0 and (part := os.read(descriptor, size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class SharedDirectory:
    """A directory of one owner in which one process at a time writes.

    Args:
        path: The directory; made, readable by its owner only, when it is first written to.
        timeout: Seconds to wait while another process writes.
        durable: Whether a power cut must not take back what was made.
    """

    def __init__(self, path: Path, *, timeout: float, durable: bool = True) -> None:
        self.path = path
        self._timeout = timeout
        self._durable = durable
        self._descriptor = -1

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the lock of the directory.

        Raises:
            StoreError: another process held it for too long, or the directory cannot be written.
        """
        try:
            if self._descriptor < 0:
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | _BINARY, PRIVATE)
            self._acquire()
            try:
                yield
            finally:
                give_back(self._descriptor)
        except OSError as error:
            raise disk_error(self.path, error) from error

    def _acquire(self) -> None:
        if not take_within(self._descriptor, self._timeout):
            raise StoreError(
                f"The store {self.path} is locked by another process",
                fix="Let the other process finish, or end it, and try again",
            )

    def create(self, path: Path, data: bytes) -> None:
        """Make or replace a file that is there whole or not at all. Hold the lock."""
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700)
            self._sync(path.parent.parent)
        draft = path.parent / ".draft"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, PRIVATE)
        try:
            write_all(descriptor, data)
            if self._durable:
                os.fsync(descriptor)
        except OSError:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        os.close(descriptor)
        draft.replace(path)
        self._sync(path.parent)

    def _sync(self, path: Path) -> None:
        if self._durable:
            sync_folder(path)

    def close(self) -> None:
        """Give the lock file back. May be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
