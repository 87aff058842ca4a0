"""Whether git is at work on a directory: a switch of branches writes many files."""

from __future__ import annotations

import os
from typing import Final

from sentient_cli.dev.watching import stamps

__all__ = ["GitLock"]

_LOCKS: Final = ("index.lock", "HEAD.lock")


class GitLock:
    """The locks of the repository that a directory is in, if it is in one.

    A lock that was waited for in vain, as an interrupted git leaves one behind, is not waited for again.

    Args:
        directory: Where to look for the repository, upward from there.
    """

    def __init__(self, directory: str) -> None:
        home = _repository(directory)
        self._locks = [os.path.join(home, name) for name in _LOCKS] if home else []
        self._vain: set[tuple[int, int]] = set()

    def held(self) -> bool:
        """Whether git is at work."""
        return any(self._lock(path) not in {None, *self._vain} for path in self._locks)

    def give_up(self) -> None:
        """Do not wait for the locks that are there now."""
        self._vain = {lock for path in self._locks if (lock := self._lock(path)) is not None}

    @staticmethod
    def _lock(path: str) -> tuple[int, int] | None:
        found = stamps.status(path, follow=False)
        return None if found is None else (found.st_ino, found.st_ctime_ns)


def _repository(directory: str) -> str | None:
    while True:
        found = os.path.join(directory, ".git")
        if os.path.isdir(found):
            return found
        if os.path.isfile(found):
            return _worktree(found)
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def _worktree(file: str) -> str | None:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as text:
            place = text.readline().removeprefix("gitdir:").strip()
    except OSError:
        return None
    return os.path.normpath(os.path.join(os.path.dirname(file), place))
