"""What files are called: by the system, which tells of them without links, and by whoever asked for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Names"]


class Names:
    """Finds the one name for the other; for one thread at a time, since it looks at the file system.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()).resolve()
        >>> (folder / "link").symlink_to(folder)
        >>> names = Names()
        >>> (real,) = names.real([folder / "link" / "agent.py"])
        >>> Path(real) == folder / "agent.py", names.given(real) == folder / "link" / "agent.py"
        (True, True)
    """

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def real(self, paths: Iterable[str | os.PathLike[str]]) -> list[str]:
        """Paths without links on their way, as the system tells of them; what they were called is kept.

        Args:
            paths: Which. A file that is a link stays one.
        """
        parents: dict[str, str] = {}  # thousands of files lie in a few directories
        return [self._real(os.path.abspath(path), parents) for path in paths]

    def _real(self, path: str, parents: dict[str, str]) -> str:
        if os.path.isdir(path):
            real = os.path.realpath(path)
        else:
            parent, name = os.path.split(path)
            if parent not in parents:
                parents[parent] = os.path.realpath(parent)
            real = os.path.join(parents[parent], name)
        if real != path:
            self._given[real] = path
        return real

    def given(self, path: str) -> Path:
        """What a path was called, or a directory above it."""
        for real, given in self._given.items():
            if path == real or path.startswith(real + os.sep):
                return Path(given + path[len(real) :])
        return Path(path)
