"""The directories below a directory."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentient_cli.dev.watching.scope import Scope

__all__ = ["MARK", "entries", "is_directory", "is_text", "unnameable", "walk"]

MARK: Final = "pyvenv.cfg"
"""The file that makes a directory a virtual environment."""


def entries(path: str) -> list[os.DirEntry[str]]:
    """What a directory holds.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(path) as found:
        return list(found)


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether it is a directory, and no link to one."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:  # on file systems that do not say what is what
        return False


def walk(path: str, root: str, scope: Scope, stopped: Callable[[], bool], most: int) -> list[str]:
    """A directory and all below it that matter, the nearest first. Links are not followed, so there are no loops.

    Args:
        path: Where to begin.
        root: The root whose scope decides.
        scope: Which directories matter.
        stopped: Whether to give up.
        most: How many are enough.
    """
    found: list[str] = []
    ahead = deque([path])
    while ahead and len(found) < most and not stopped():
        above = ahead.popleft()
        try:
            inner = entries(above)
        except OSError:
            inner = []
        if above != root and any(entry.name == MARK for entry in inner):
            continue
        found.append(above)
        ahead += [entry.path for entry in inner if is_directory(entry) and scope.enters(entry.path, entry.name, root)]
    return found


def is_text(path: str) -> bool:
    """Whether a name is text, and not bytes of another encoding."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def unnameable(path: str) -> bool:
    """Whether a directory holds a name that is no text."""
    try:
        return not all(map(is_text, os.listdir(path)))
    except OSError:
        return False
