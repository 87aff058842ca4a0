"""Files that are written as a whole or not at all, and changed by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import secrets
import stat
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

from sentient_cli.errors import ConfigError

__all__ = ["locked", "replace"]

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_PRIVATE: Final = 0o600
_WAIT: Final = 0.005
_STALE: Final = 3600.0
"""Seconds after which a draft is nobody's."""


class _Gate:
    """Lets one thread of this process in. A child that is forked meanwhile begins with a gate that is open."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.held: set[Path] = set()

    def renew(self) -> None:
        """Begin anew, in a child."""
        self.lock = threading.RLock()
        self.held = set()


_gate: Final = _Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_gate.renew)


def replace(path: Path, data: bytes, *, mode: int = _PRIVATE) -> None:
    """Have a file hold these bytes, on disk when this returns. A link stays one: what it leads to is replaced.

    Args:
        path: The file.
        data: What it shall hold.
        mode: The rights of a new file; one that is there keeps its own.

    Raises:
        ConfigError: it cannot be written; what was there is unchanged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     replace(Path(folder, "a"), b"x")
        ...     Path(folder, "a").read_bytes()
        b'x'
    """
    try:
        target = path.resolve()
        draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(target)
        rights = stat.S_IMODE(target.stat().st_mode) if target.exists() else mode
        descriptor = os.open(draft, _NEW, rights)
        try:
            with os.fdopen(descriptor, "wb") as file:
                draft.chmod(rights)  # the mask of the process has no say in it
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    except (OSError, RuntimeError) as error:  # a RuntimeError is a ring of links
        raise _failed(path, error) from None


def _sweep(target: Path) -> None:
    """Remove the drafts that somebody left who was killed, once nobody can be writing them any more."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*"):
        if re.fullmatch(r"\.[0-9a-f]{12}", path.name[len(target.name) + 1 :]):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE:
                    path.unlink()


@contextlib.contextmanager
def locked(path: Path, *, patience: float = 10.0) -> Generator[None]:
    """Be the only one, of all threads and processes, that is between these lines for a path; once more costs nothing.

    Args:
        path: The file that is locked; it is made if need be.
        patience: Seconds to wait for others.

    Raises:
        ConfigError: others held it all the time, or it cannot be made.
    """
    with _gate.lock:
        if path in _gate.held:
            yield
            return
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), _PRIVATE)
        except OSError as error:
            raise _failed(path, error) from None
        try:
            _wait_for(descriptor, path, time.monotonic() + patience)
            _gate.held.add(path)
            yield
        finally:
            _gate.held.discard(path)
            os.close(descriptor)


def _wait_for(descriptor: int, path: Path, give_up: float) -> None:
    while not _taken(descriptor):
        if time.monotonic() >= give_up:
            raise ConfigError(
                "The settings are being changed by somebody else",
                why=f"Another process holds {path}",
                fix="Let it finish, or end it, and try again",
            )
        time.sleep(_WAIT)


def _failed(path: Path, error: OSError | RuntimeError) -> ConfigError:
    code = error.errno if isinstance(error, OSError) else errno.ELOOP
    why = os.strerror(code) if code else type(error).__name__
    return ConfigError(f"{path} cannot be written", why=why, fix="Check the free space and the rights of its disk")


if sys.platform == "win32":  # pragma: no cover - another operating system
    import msvcrt

    def _taken(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _taken(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
