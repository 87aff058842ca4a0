"""Where the log, its checkpoint and its key are, and how they are opened: no links, and nobody else's."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final, NamedTuple, Self

from sentient_cli import paths
from sentient_cli.errors import AuditError
from sentient_cli.own_files import CAREFUL, PRIVATE, Flaw, flaw_of, folder_flaw, sync_folder

__all__ = [
    "AuditPlaces",
    "Draft",
    "disk_error",
    "open_own",
    "open_to_read",
    "require_folder",
    "sync_folder_of",
    "told",
    "write_all",
]

_UNIX: Final = sys.platform != "win32"


class AuditPlaces(NamedTuple):
    """The files of an audit log.

    Args:
        log: The log.
        checkpoint: Its last signed checkpoint; best on another disk.
        key: What it is signed with.

    Example:
        >>> places = AuditPlaces.of_this_user()
        >>> places.log.name, places.checkpoint.name, places.key.name
        ('audit.jsonl', 'audit.checkpoint', 'audit.key')
    """

    log: Path
    checkpoint: Path
    key: Path

    @classmethod
    def of_this_user(cls, checkpoint: Path | None = None) -> Self:
        """The places of the one log of this user.

        Args:
            checkpoint: Where the setting ``audit.checkpoint`` wants it; beside the log unless given.
        """
        log = paths.state_dir() / "audit" / "audit.jsonl"
        return cls(log, checkpoint or log.with_suffix(".checkpoint"), paths.data_dir() / "audit" / "audit.key")


def disk_error(path: Path, error: OSError) -> AuditError:
    """What an error of the operating system means for a file of the log."""
    if error.errno in {errno.ELOOP, errno.EMLINK}:
        return _refused(path, "is a link", "Remove the link, and look where it came from")
    return AuditError(
        f"The audit log cannot be kept: {path}",
        why=error.strerror or type(error).__name__,
        fix="Check the free space and the rights of its disk; without the log nothing is handed out",
    )


def require_folder(folder: Path) -> None:
    """Make the folder of the log, readable by this user only, or see that it is so.

    Raises:
        AuditError: it is somebody else's, open to others, a link, or cannot be made.
    """
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(folder.parent)
        status = folder.lstat()
    except OSError as error:
        raise disk_error(folder, error) from error
    _require_none(folder, folder_flaw(folder, status))


def open_own(path: Path, flags: int) -> int:
    """Open a file of ours, or make it; no link, no second name, nobody else's, closed to others.

    Raises:
        AuditError: it is something else, or cannot be opened.
        FileNotFoundError: it is not there, and the flags do not say that it is to be made.
    """
    descriptor = _open(path, flags)
    try:
        _require_none(path, flaw_of(path, os.fstat(descriptor), "600"))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_to_read(path: Path) -> int:
    """Open a file that may come from elsewhere, to read it.

    Raises:
        AuditError: it is a link or no plain file, or cannot be read.
        FileNotFoundError: it is not there.
    """
    return _open(path, os.O_RDONLY)


def _open(path: Path, flags: int) -> int:
    if not _UNIX and path.is_symlink():
        raise _refused(path, "is a link", "Remove the link, and look where it came from")
    try:
        descriptor = os.open(path, flags | CAREFUL, PRIVATE)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise disk_error(path, error) from error
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise _refused(path, "is no plain file", "Move it away, and look where it came from")


def _require_none(path: Path, flaw: Flaw | None) -> None:
    if flaw is not None:
        raise _refused(path, *flaw)


def _refused(path: Path, what: str, fix: str) -> AuditError:
    return AuditError(f"{path} {what}", why="It belongs to the audit log, which is kept by its owner alone", fix=fix)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however often the operating system has to be asked."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class Draft:
    """A file that is ready and on disk, but has not taken its place yet.

    Args:
        path: Its place; what is there is replaced.
        data: What is in it.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, data: bytes) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.draft")
        self._draft.unlink(missing_ok=True)
        descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | CAREFUL, PRIVATE)
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        except OSError:
            os.close(descriptor)
            self.discard()
            raise
        os.close(descriptor)

    def commit(self) -> None:
        """Put it in its place, for good."""
        self._draft.replace(self._path)
        sync_folder(self._path.parent)

    def discard(self) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):
            self._draft.unlink(missing_ok=True)


@contextlib.contextmanager
def told(path: Path) -> Generator[None]:
    """Have errors of the operating system raised as what they mean for the log."""
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


def sync_folder_of(path: Path) -> None:
    """Have the name of a new file on disk."""
    sync_folder(path.parent)
