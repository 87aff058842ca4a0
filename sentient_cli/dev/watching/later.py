"""Files are watched once the first code answers: until then nobody is kept waiting by what only a save needs."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.dev.watching.stamps import now_ns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from os import PathLike

    from sentient_cli.dev.messages import Watched
    from sentient_cli.dev.watching.watches import Watches

__all__ = ["LaterWatches"]

_AFTER: Final = 0.1
"""Seconds that whoever asked already has the processor to themselves."""
_MOST: Final = 1000
_CODE: Final = ".py"
"""What code is read is known, and that it is gone is told by who watches it."""


class LaterWatches:
    """Has a project watched after the start, and is told all that changed since it was made. For one event loop.

    What was removed meanwhile is told of files in the project's own directory, and of code that was read.

    Args:
        project: Its directory.
        make: Begins to watch; takes the moment after which changes are told, as `Watches` does.
    """

    def __init__(self, project: Path, make: Callable[[int], Watches]) -> None:
        self._project = project
        self._make = make
        self._there = _files_of(project)
        self._since = now_ns()
        self._watches: Watches | None = None
        self._watched: Watched | None = None
        self._asked: list[tuple[tuple[str | PathLike[str], ...], int]] = []

    def reads(self, paths: Iterable[str | PathLike[str]], since: int | None = None) -> None:
        """Watch more files; see `Watches.reads`."""
        if self._watches is not None:
            self._watches.reads(paths, since)
        else:
            self._asked.append((tuple(paths), now_ns() if since is None else since))

    def watch(self, watched: Watched) -> None:
        """Watch what the settings say now; see `Watches.watch`."""
        if self._watches is not None:
            self._watches.watch(watched)
        else:
            self._watched = watched

    async def follow(self, tell: Callable[[frozenset[Path]], None], first: Awaitable[object]) -> None:
        """Tell what changes, until cancelled.

        Args:
            tell: As `Watches.follow` takes it.
            first: Comes to an end when it is known whether the first code answers.
        """
        await first
        await asyncio.sleep(_AFTER)
        watches = self._watches = self._make(self._since)
        if self._watched is not None:
            watches.watch(self._watched)
        for paths, since in self._asked:
            watches.reads(paths, since)
        self._asked.clear()
        if gone := self._gone(watches):
            tell(gone)
        await watches.follow(tell)

    def _gone(self, watches: Watches) -> frozenset[Path]:
        """The files that were there at first."""
        there, self._there = self._there, ()
        left = (self._project / name for name in there)
        return frozenset(path for path in left if not path.is_file() and watches.wants(path))


def _files_of(directory: Path) -> tuple[str, ...]:
    """The names of some files; those of code are left out."""
    with suppress(OSError), os.scandir(directory) as found:
        return tuple(
            entry.name for entry in islice(found, _MOST) if not entry.name.endswith(_CODE) and not entry.is_dir()
        )
    return ()
