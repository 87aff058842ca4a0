"""Files that are their owner's alone: how they are opened, and what speaks against one that is there."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["CAREFUL", "PRIVATE", "Flaw", "flaw_of", "folder_flaw", "sync_folder"]

PRIVATE: Final = 0o600
"""The rights of a file that is made."""
CAREFUL: Final[int] = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
"""Where the system knows it: a link is not followed, a pipe does not keep us waiting, a started process gets none."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Flaw(NamedTuple):
    """What speaks against a file or a folder, and what to do about it."""

    what: str
    fix: str


def flaw_of(path: Path, status: os.stat_result, rights: str) -> Flaw | None:
    """What others may have to do with a file or a folder; None: nothing.

    Args:
        path: Where it is, for the fix.
        status: What the system says of it.
        rights: Those that it should have, as ``chmod`` takes them.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     flaw_of(Path(file.name), os.fstat(file.fileno()), "600") is None
        True
    """
    if sys.platform == "win32":  # pragma: no cover - another operating system
        return None
    if status.st_uid != os.geteuid():
        return Flaw("belongs to somebody else", "Run this as its owner, or move it away")
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        return Flaw("has a second name", "Remove the other one: `find / -samefile` finds it")
    if status.st_mode & _OTHERS:
        return Flaw("is open to others", f"Look who may have used it, then run `chmod {rights} {path}`")
    return None


def folder_flaw(path: Path, status: os.stat_result) -> Flaw | None:
    """The same for a folder, which is to be one and no link.

    Args:
        path: Where it is.
        status: What the system says of it, links not followed.

    Example:
        >>> folder_flaw(Path(os.devnull), os.lstat(os.devnull)).what
        'is no folder'
    """
    if not stat.S_ISDIR(status.st_mode):
        what = "is a link" if stat.S_ISLNK(status.st_mode) else "is no folder"
        return Flaw(what, "Move it away, and look where it came from")
    return flaw_of(path, status, "700")


if sys.platform == "win32":  # pragma: no cover - another operating system

    def sync_folder(path: Path) -> None:
        """Windows keeps names by itself."""

else:

    def sync_folder(path: Path) -> None:
        """Have the names in a folder outlast a loss of power.

        Raises:
            OSError: they may not.
        """
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
