"""A watcher that runs, and what it told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sentient_cli.dev.watching import stamps
from sentient_cli.dev.watching.watch import Scope, Watcher

PATIENCE = 120.0
"""Seconds that something may take that takes milliseconds."""


class Told:
    """Takes the sets of changes as they come."""

    def __init__(self, watcher: Watcher, notices: Sequence[tuple[str, str]]) -> None:
        self.watcher = watcher
        self.notices = notices
        self.sets: list[frozenset[Path]] = []
        self._more = asyncio.Condition()
        self._beacons = 0

    async def follow(self) -> None:
        async with contextlib.aclosing(self.watcher.changes()) as changes:
            async for changed in changes:
                async with self._more:
                    self.sets.append(changed)
                    self._more.notify_all()

    @property
    def paths(self) -> list[Path]:
        return sorted(path for changed in self.sets for path in changed)

    async def until(self, fits: Callable[[], bool]) -> None:
        """Wait until something holds of what was told."""
        async with self._more:
            try:
                await asyncio.wait_for(self._more.wait_for(fits), PATIENCE)
            except TimeoutError:
                raise AssertionError(f"only {self.sets} was told") from None

    async def about(self, *paths: Path) -> None:
        """Wait until these paths have been told since the last call, then forget all."""
        await self.until(lambda: set(paths) <= set(self.paths))
        self.sets.clear()

    async def quiet(self, beacon: Path) -> list[Path]:
        """What is told before a change that is made now, and what was doubtful by then."""
        told: list[Path] = []
        for _ in range(2):
            self._beacons += 1
            write(os.fsencode(beacon), f"beacon {self._beacons}")
            await self.until(lambda: beacon in self.paths)
            told += [path for path in self.paths if path != beacon]
            self.sets.clear()
        return sorted(told)


def let_time_pass() -> None:
    """Let the time of files that were just made become the past, so that they do not count as saved at the start."""
    # By the fine clock: the kernel may have given a file a time that the coarse one has yet to reach.
    began = time.time_ns()
    while stamps.now_ns() <= began:
        time.sleep(0.001)


def matters(scope: Scope, path: str | Path) -> bool:
    """Whether a file matters by its path alone: each directory on the way to it is entered, and it is wanted."""
    file = Path(path)
    root = next((root for root in scope.roots if file.is_relative_to(root)), None)
    if root is None:
        return False
    *parents, name = file.relative_to(root).parts
    above = Path(root)
    for parent in parents:
        above /= parent
        if not scope.enters(str(above), parent, root):
            return False
    return scope.wants(str(file), name, root)


def inotify_descriptors() -> int:
    """How many of this process's descriptors watch files."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += "inotify" in str(descriptor.readlink())
    return found


def write(path: bytes, text: str) -> None:
    """Write a file whose name may be no text."""
    file = Path(os.fsdecode(path))
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


@asynccontextmanager
async def watching(scope: Scope, **settings: int) -> AsyncGenerator[Told]:
    """A watcher that watches."""
    notices: list[tuple[str, str]] = []
    watcher = Watcher(scope, notice=lambda what, fix: notices.append((what, fix)), **settings)
    told = Told(watcher, notices)
    task = asyncio.create_task(told.follow())
    try:
        await asyncio.wait_for(watcher.started(), PATIENCE)
        yield told
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
