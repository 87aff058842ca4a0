"""Files of ours within a project, which may come from anybody: none of them is a link, a pipe or somebody else's."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from sentient_cli.errors import ProjectError

__all__ = ["open_plain", "read_plain", "require_folder"]

# Where the system knows it: a link is not followed, and a pipe does not keep us waiting.
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def require_folder(folder: Path) -> None:
    """Refuse what is there in the place of a directory, a link to one included; nothing at all is no fault.

    Raises:
        ProjectError: it is a link, or no directory.
        OSError: it cannot be looked at.
    """
    try:
        mode = folder.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        raise _refused(folder, "is a link" if stat.S_ISLNK(mode) else "is no directory")


def open_plain(file: Path, flags: int) -> int:
    """Open a file that is ours alone: no link, no device, no pipe, and under no other name.

    Args:
        file: The file.
        flags: As `os.open` takes them; what makes it empty is left to the caller, who does so once it is open.

    Returns:
        A descriptor.

    Raises:
        ProjectError: it is something else.
        OSError: it cannot be opened.
    """
    if not _CAREFUL and file.is_symlink():
        raise _refused(file, "is a link")
    try:
        descriptor = os.open(file, flags | _CAREFUL, 0o600)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR}:
            raise _refused(file, "is a link" if file.is_symlink() else "is no plain file") from error
        raise
    status = os.fstat(descriptor)
    writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
    if stat.S_ISREG(status.st_mode) and not (writes and status.st_nlink > 1):
        return descriptor
    os.close(descriptor)
    raise _refused(file, "is another file, too" if stat.S_ISREG(status.st_mode) else "is no plain file")


def read_plain(file: Path, largest: int) -> bytes:
    """Read a file of ours.

    Args:
        file: The file.
        largest: How many bytes it may have.

    Raises:
        ProjectError: it is no plain file, or larger.
        OSError: it cannot be read.
    """
    with os.fdopen(open_plain(file, os.O_RDONLY), "rb") as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise _refused(file, "is larger than it may be")
    return content


def _refused(place: Path, what: str) -> ProjectError:
    return ProjectError(
        f"{place} {what}",
        why="It belongs to what a project keeps of its template, and nothing is read or written through it",
        fix="Remove it, or restore the directory from git",
    )
