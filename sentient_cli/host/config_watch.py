"""Notices that files of settings hold something else: at once where the system tells, else by a look now and then."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from sentient_cli.config.watching import Contents, contents_of, doorways, is_doubtful
from sentient_cli.inotify import CLOSED_OR_MOVED, listen, names_in

__all__ = ["ConfigWatch", "Tried"]

_QUIET: Final = 0.02
"""Seconds in which files have to stay as they are before they are read for good."""
_STEP: Final = 0.05
_PATIENCE: Final = 0.5
"""Seconds that somebody may take who looks to be in the middle of writing."""
_LONGEST: Final = 5.0
"""Seconds after which what is wrong is told although files go on changing."""
_LOOK_EVERY: Final = 5.0
"""Seconds between two looks where the system tells; it may not, for files on another machine."""
_LOOK_OFTEN: Final = 1.0
"""The same where it does not tell."""
_MUCH: Final = 1 << 16


class Tried(Protocol):
    """Who takes settings up."""

    @property
    def known(self) -> Contents | None:
        """What the files held when they were last tried; None: they were not yet."""
        ...

    def files(self) -> Iterable[Path]:
        """The files that settings come from."""
        ...

    async def take(self, *, sure: bool) -> bool:
        """Take up what the files hold.

        Args:
            sure: Whether that is what they are meant to hold; if not, faults are not told, and nothing is remembered.

        Returns:
            Whether there was no fault.
        """
        ...


class ConfigWatch:
    """Has files of settings taken up when they hold something else than when that was last done.

    Args:
        tried: Who takes them up.
    """

    def __init__(self, tried: Tried) -> None:
        self._tried = tried
        self._woken = asyncio.Event()
        self._ears = _Ears(self._woken.set)

    async def run(self) -> None:
        """Take up what has changed since the files were last tried, then watch until it is cancelled."""
        try:
            while True:
                self._woken.clear()
                files = tuple(self._tried.files())
                # First listen, then look: what happens from here on wakes the next turn.
                self._ears.turn_to(await asyncio.to_thread(doorways, files))
                if await self._look(files):
                    continue  # a link may lead elsewhere now
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY if self._ears.hear else _LOOK_OFTEN):
                        await self._woken.wait()
        finally:
            self._ears.close()

    async def _look(self, files: Iterable[Path]) -> bool:
        """Take up what has changed; whether anything had."""
        seen = await _contents(files)
        if seen == self._tried.known:
            return False
        await asyncio.sleep(_QUIET)
        again = await _contents(files)
        if seen != again:
            await self._wait_for_whoever_writes(files, None)
        elif not await self._goes_well(again):
            await self._wait_for_whoever_writes(files, again)
        return True

    async def _goes_well(self, seen: Contents) -> bool:
        known = self._tried.known
        if seen == known:
            return True  # somebody has put back what there was
        return (known is None or not is_doubtful(known, seen)) and await self._tried.take(sure=False)

    async def _wait_for_whoever_writes(self, files: Iterable[Path], failed: Contents | None) -> None:
        """Try what the files come to hold, and tell what is wrong with it once they stay as they are."""
        clock = asyncio.get_running_loop().time
        began = since = clock()
        seen = await _contents(files)
        while clock() - since < _PATIENCE and clock() - began < _LONGEST:
            await asyncio.sleep(_STEP)
            now = await _contents(files)
            if now != seen:
                seen, since = now, clock()
            elif seen != failed:
                if await self._goes_well(seen):
                    return
                failed = seen
        if seen != self._tried.known:
            await self._tried.take(sure=True)


class _Ears:
    """What the system tells of the directories that lead to files.

    Args:
        tell: Called in the loop when something has happened to one of the files.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._doors: Mapping[str, frozenset[str]] = {}
        self._names: frozenset[str] = frozenset()
        self._heard = -1

    @property
    def hear(self) -> bool:
        return self._heard >= 0

    def turn_to(self, doors: Mapping[str, frozenset[str]]) -> None:
        """Listen at other directories; where the system refuses one of them, at none."""
        if self.hear and doors == self._doors:
            return
        self.close()
        self._doors, self._names = doors, frozenset().union(*doors.values())
        self._heard = listen(doors, CLOSED_OR_MOVED)
        if self.hear:
            asyncio.get_running_loop().add_reader(self._heard, self._listen)

    def _listen(self) -> None:
        try:
            names = names_in(os.read(self._heard, _MUCH))
        except BlockingIOError:
            return
        if names is None:
            self.close()  # the next turn listens anew
        if names is None or "" in names or names & self._names:
            self._tell()

    def close(self) -> None:
        if self.hear:
            asyncio.get_running_loop().remove_reader(self._heard)
            os.close(self._heard)
        self._heard = -1


async def _contents(files: Iterable[Path]) -> Contents:
    return await asyncio.to_thread(contents_of, files)
