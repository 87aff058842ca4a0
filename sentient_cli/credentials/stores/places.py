"""Files that hold secrets: their owner's alone, as is their folder, no links, replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path

from sentient_cli.errors import CredentialStoreError
from sentient_cli.own_files import CAREFUL, PRIVATE, Flaw, flaw_of, folder_flaw, sync_folder

__all__ = ["open_own", "read_own", "replace_own", "require_folder", "told"]


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
            sync_folder(folder.parent)
        status = folder.lstat()
    _require_none(folder, folder_flaw(folder, status))


def open_own(path: Path, flags: int) -> int:
    """Open a file of secrets: no link, no second name, nobody else's, closed to others.

    Raises:
        CredentialStoreError: it is something else.
        OSError: it cannot be opened; it is not there, and the flags do not say that it is to be made.
    """
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():  # pragma: no cover - another operating system
        raise _refused(path, "is a link", "Remove the link, and look where it came from")
    descriptor = os.open(path, flags | CAREFUL, PRIVATE)
    try:
        status = os.fstat(descriptor)
        _require_plain(path, status)
        _require_none(path, flaw_of(path, status, "600"))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_plain(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "is no plain file", "Move it away, and look where it came from")


def _require_none(path: Path, flaw: Flaw | None) -> None:
    if flaw is not None:
        raise _refused(path, *flaw)


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
        sync_folder(path.parent)
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
