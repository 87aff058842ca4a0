"""Files that hold secrets: their owner's alone, as is their folder, no links, replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import CredentialStoreError

__all__ = ["open_own", "read_own", "replace_own", "require_folder", "told"]

_PRIVATE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# Where the system knows it: a link is not followed, a pipe does not keep us waiting, a started process does not get it.
_CAREFUL: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


@contextlib.contextmanager
def told(path: Path) -> Generator[None]:
    """Have errors of the operating system raised as what they mean for a store."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK}:
            raise _refused(path, "is a link", "Remove the link, and look where it came from") from None
        raise CredentialStoreError(
            f"{path} cannot be used",
            why=error.strerror or type(error).__name__,
            fix="Check the free space and the rights of its disk",
        ) from error


def require_folder(folder: Path) -> None:
    """Make a folder for secrets, or see that it is their owner's alone.

    Raises:
        CredentialStoreError: it is somebody else's, open to others, a link, or cannot be made.
    """
    with told(folder):
        if not os.path.lexists(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync_folder(folder.parent)
        status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        what = "is a link" if stat.S_ISLNK(status.st_mode) else "is no folder"
        raise _refused(folder, what, "Move it away, and look where it came from")
    _require_ours(folder, status, "700")


def open_own(path: Path, flags: int) -> int:
    """Open a file of secrets: no link, no second name, nobody else's, closed to others.

    Raises:
        CredentialStoreError: it is something else.
        OSError: it cannot be opened; it is not there, and the flags do not say that it is to be made.
    """
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():  # pragma: no cover - another operating system
        raise _refused(path, "is a link", "Remove the link, and look where it came from")
    descriptor = os.open(path, flags | _CAREFUL, _PRIVATE)
    try:
        status = os.fstat(descriptor)
        _require_plain(path, status)
        _require_ours(path, status, "600")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_plain(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "is no plain file", "Move it away, and look where it came from")


def _require_ours(path: Path, status: os.stat_result, rights: str) -> None:
    if sys.platform == "win32":  # pragma: no cover - another operating system
        return
    if status.st_uid != os.geteuid():
        raise _refused(path, "belongs to somebody else", "Run this as its owner, or move it away")
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        raise _refused(path, "has a second name", "Remove the other one: `find / -samefile` finds it")
    if status.st_mode & _OTHERS:
        raise _refused(path, "is open to others", f"Look who may have used it, then run `chmod {rights} {path}`")


def _refused(path: Path, what: str, fix: str) -> CredentialStoreError:
    return CredentialStoreError(f"{path} {what}", why="What credentials are in is its owner's alone", fix=fix)


def read_own(path: Path, largest: int) -> bytes | None:
    """All that is in a file of secrets; None: there is none.

    Args:
        path: The file.
        largest: How many bytes it may have.

    Raises:
        CredentialStoreError: it is too large, is none of ours, or cannot be read.
    """
    with told(path):
        try:
            descriptor = open_own(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(largest + 1)
    if len(data) > largest:
        raise CredentialStoreError(
            f"{path} is too large",
            why=f"{largest:,} bytes are the most",
            fix="Look what it is, and restore a copy of it",
        )
    return data


def replace_own(path: Path, data: bytes) -> None:
    """Have a file hold these bytes, read back and on disk when this returns. Only one at a time may do this.

    Raises:
        CredentialStoreError: it cannot be written. What was there is unchanged, or the error says what is not known.
    """
    draft = path.with_name(f".{path.name}.draft")
    with told(path):
        try:
            draft.unlink(missing_ok=True)
            _write(draft, data)
            draft.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
    try:
        _sync_folder(path.parent)
    except OSError as error:
        raise CredentialStoreError(
            f"It is not known whether the change of {path} would outlast a loss of power",
            why=error.strerror or type(error).__name__,
            fix="Check the disk, then look what is stored",
        ) from error


def _write(draft: Path, data: bytes) -> None:
    descriptor = open_own(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    with os.fdopen(descriptor, "r+b") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
        file.seek(0)
        if file.read() != data:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


if sys.platform == "win32":  # pragma: no cover - another operating system

    def _sync_folder(path: Path) -> None:
        """Windows keeps names by itself."""

else:

    def _sync_folder(path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
