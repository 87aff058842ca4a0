"""What is watched follows the settings: another watcher takes over once they say something else."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from sentient_cli.dev.messages import Watched
from sentient_cli.dev.watching.scope import Scope
from sentient_cli.dev.watching.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from os import PathLike

    from sentient_cli.config import DevSettings

__all__ = ["Watches"]


class Watches:
    """Watches a project. For one event loop.

    Args:
        project: Its directory.
        settings: What to watch at first.
        notice: As `Watcher` takes it.
        always: Files to watch whatever the settings say.
        since: Nanoseconds since the epoch, after which changes are told; as `Watcher` takes them.
    """

    def __init__(
        self,
        project: Path,
        settings: DevSettings,
        notice: Callable[[str, str], None],
        always: Iterable[Path] = (),
        since: int | None = None,
    ) -> None:
        self._project = project
        self._notice = notice
        self._always = tuple(always)
        self._watched = Watched.of(settings)
        self._newer = asyncio.Event()
        self._since = since
        self._watcher = self._make(Scope.of(project, settings))

    def _make(self, scope: Scope) -> Watcher:
        self._scope = scope
        watcher = Watcher(scope, notice=self._notice, since=self._since)
        if self._always:
            watcher.reads(self._always, self._since)
        return watcher

    def wants(self, path: Path) -> bool:
        """Whether a file in the project's own directory matters."""
        return self._scope.wants(str(path), path.name, str(path.parent))

    def reads(self, paths: Iterable[str | PathLike[str]], since: int | None = None) -> None:
        """Watch more files; see `Watcher.reads`."""
        self._watcher.reads(paths, since)

    def watch(self, watched: Watched) -> None:
        """Watch what the settings say now; what was asked for with `reads` has to be asked for again.

        Args:
            watched: That; nothing is done when it is what it was before.
        """
        if watched == self._watched:
            return
        self._watched = watched
        extra = [Path(path) for path in watched.watch]
        self._watcher = self._make(Scope(self._project, extra=extra, include=watched.include, ignore=watched.ignore))
        self._newer.set()

    async def follow(self, tell: Callable[[frozenset[Path]], None]) -> None:
        """Tell what changes, until cancelled.

        Args:
            tell: Takes files, as `Watcher.changes` has them.
        """
        self._since = None  # the watcher that is there will tell
        self._newer.clear()  # it is the newest, whatever it took the place of
        async with asyncio.TaskGroup() as group:
            following = group.create_task(_follow(self._watcher, tell))
            while True:
                await self._newer.wait()
                self._newer.clear()
                newer = self._watcher
                follows = group.create_task(_follow(newer, tell))
                await newer.started()  # until then the one before goes on, so that nothing is missed
                following.cancel()
                following = follows


async def _follow(watcher: Watcher, tell: Callable[[frozenset[Path]], None]) -> None:
    async with contextlib.aclosing(watcher.changes()) as changes:
        async for changed in changes:
            tell(changed)
