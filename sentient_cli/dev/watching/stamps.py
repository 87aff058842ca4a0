"""Whether a file looks touched, without reading it."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

__all__ = ["UNSETTLED", "changed_after", "gone_since", "inode", "now_ns", "stamp", "status"]

UNSETTLED: Final = 0
"""The stamp of a file that may change once more and look the same."""
_RACY: Final = 50_000_000
"""Nanoseconds in which a file can change twice and keep its time."""
_CODE: Final = ".py"
_COARSE: Final = 5
"""Linux's clock of file times, for which Python has no name; it lags behind the fine one by up to 10 ms."""


def now_ns() -> int:
    """The time as the file system would write it now, in nanoseconds since the epoch."""
    return time.clock_gettime_ns(_COARSE) if sys.platform == "linux" else time.time_ns()


def stamp(found: os.stat_result) -> int:
    """A number that differs when a file was touched."""
    if abs(time.time_ns() - found.st_mtime_ns) < _RACY:
        return UNSETTLED
    return hash((found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)) or 1


def changed_after(found: os.stat_result, since: int) -> bool:
    """Whether a file was written, moved or made at ``since``, in nanoseconds since the epoch, or later."""
    # The time of the last change of the inode cannot be set by copying tools. On Windows it is that of the making.
    return max(found.st_ctime_ns, found.st_mtime_ns if sys.platform == "win32" else 0) >= since


def status(path: str, *, follow: bool) -> os.stat_result | None:
    """A path's status, or None when it cannot be had."""
    try:
        return os.stat(path, follow_symlinks=follow)
    except (OSError, ValueError):
        return None


def inode(path: str) -> int:
    """The number of what is there, 0 for nothing."""
    found = status(path, follow=True)
    return found.st_ino if found is not None else 0


def gone_since(path: str, since: int) -> bool:
    """Whether code that was read at ``since``, in nanoseconds since the epoch, is there no more.

    Of other files it is not known whether they ever were there.
    """
    above = status(os.path.dirname(path), follow=True)
    return path.endswith(_CODE) and not os.path.isfile(path) and above is not None and changed_after(above, since)
