"""What files held when their change was last told."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Final

__all__ = ["LARGE", "Digests"]

LARGE: Final = 4 * 1024 * 1024
"""Bytes above which a file's size and time stand for what it holds."""
_EMPTY: Final = hashlib.blake2b(digest_size=16).digest()
_UNREADABLE: Final = b"?"


class Digests:
    """The digests of files that have changed once; nothing is kept of the others.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> digests = Digests()
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     first = digests.differs(file.name)
        ...     Path(file.name).touch()
        ...     first, digests.differs(file.name)
        (True, False)
    """

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._known

    def __len__(self) -> int:
        return len(self._known)

    def is_empty(self, path: str) -> bool:
        """Whether the file was told as an empty one."""
        return self._known.get(path) == _EMPTY

    def differs(self, path: str) -> bool:
        """Whether a file holds something else than when this was last asked; asked for the first time, it does."""
        found = _digest(path)
        if self._known.get(path) == found:
            return False
        self._known[path] = found
        return True

    def forget(self, path: str) -> None:
        """The file is gone."""
        self._known.pop(path, None)


def _digest(path: str) -> bytes:
    try:
        # What was a file a moment ago may be a pipe by now, or a directory.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return _UNREADABLE
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return _UNREADABLE
        if status.st_size > LARGE:
            return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}".encode()
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            return hashlib.blake2b(file.read(LARGE + 1), digest_size=16).digest()
    except OSError:
        return _UNREADABLE
    finally:
        os.close(descriptor)
