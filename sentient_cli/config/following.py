"""Changes of settings as an asynchronous iterator, with a look at their files now and then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Protocol

from sentient_cli.config.snapshot import ConfigChange, Snapshot
from sentient_cli.config.watching import Contents, contents_of, is_doubtful, settings_files
from sentient_cli.errors import SentientError

__all__ = ["Followed", "follow"]

_logger = logging.getLogger(__name__)
_PATIENCE = 2
"""How many looks somebody may take who looks to be in the middle of writing."""


class Followed(Protocol):
    """Whose changes are told."""

    @property
    def snapshot(self) -> Snapshot:
        """The settings as they are now."""
        ...

    def reload(self) -> ConfigChange | None:
        """Read all sources anew."""
        ...

    def subscribe(self, callback: Callable[[ConfigChange], None], *keys: str) -> Callable[[], None]:
        """Have a function called after each change."""
        ...


async def follow(followed: Followed, keys: tuple[str, ...], every: float) -> AsyncGenerator[ConfigChange]:
    """Tell changes, one after another.

    Args:
        followed: Whose.
        keys: Settings, or tables of them; all, if none is named.
        every: Seconds between two looks at the files.
    """
    loop, waiting = asyncio.get_running_loop(), _Waiting()

    def told(change: ConfigChange) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(waiting.add, change)

    end = followed.subscribe(told, *keys)
    looking = loop.create_task(_look(followed, every))
    try:
        while True:
            yield await waiting.take()
    finally:
        end()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


class _Waiting:
    """One change at most: a further one joins it."""

    def __init__(self) -> None:
        self._changes: list[ConfigChange] = []
        self._there = asyncio.Event()

    def add(self, change: ConfigChange) -> None:
        for before in self._changes:
            keys = tuple(dict.fromkeys((*before.keys, *change.keys)))
            change = ConfigChange(keys, before.before, change.after)
        self._changes[:] = [change]
        self._there.set()

    async def take(self) -> ConfigChange:
        await self._there.wait()
        self._there.clear()
        return self._changes.pop()


async def _look(followed: Followed, every: float) -> None:
    known: Contents = await asyncio.to_thread(_contents, followed)
    doubts = 0
    await _reload(followed)  # what was changed before the first look
    while True:
        await asyncio.sleep(every)
        found = await asyncio.to_thread(_contents, followed)
        if found == known:
            continue
        doubts = doubts + 1 if is_doubtful(known, found) else _PATIENCE
        if doubts >= _PATIENCE:
            known, doubts = found, 0
            await _reload(followed)


def _contents(followed: Followed) -> Contents:
    loaded = followed.snapshot.loaded
    return contents_of(settings_files(loaded, loaded.project_dir or Path.cwd()))


async def _reload(followed: Followed) -> None:
    try:
        await asyncio.to_thread(followed.reload)
    except SentientError as error:
        _logger.warning("The settings are not taken, and stay as they were. %s", error)
