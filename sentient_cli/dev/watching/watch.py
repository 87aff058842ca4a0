"""Files that change, told as soon as they do."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.dev.watching.gitlock import GitLock
from sentient_cli.dev.watching.inbox import Inbox, Request
from sentient_cli.dev.watching.looking import Looking
from sentient_cli.dev.watching.names import Names
from sentient_cli.dev.watching.scope import Scope
from sentient_cli.dev.watching.stamps import now_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Scope", "Watcher"]

_STEP: Final = 4
"""Each look wakes the process, whether anything has happened or not."""
_BURST: Final = 0.1
"""Seconds after a change in which the next one belongs to the same burst."""
_QUIET: Final = 0.03
"""Seconds without anything that end a burst."""
_LONGEST: Final = 0.25
"""Seconds after which a burst is told although it goes on."""
_GIT_QUIET: Final = 0.3
_GIT_LONGEST: Final = 10.0
_GAP: Final = 2.0
"""Seconds of standing still after which the system's queue may have been full."""
_TICK: Final = 0.005


class Watcher:
    """Tells which files changed since this was made.

    The first change is told at once; those that follow closely, together when they pause, or four times a second. While
    git is at work nothing is told. A file that holds what it held when it was last told is not told again; what happens
    while nobody asks is kept, and told as one.

    Args:
        scope: Which files matter.
        notice: Told what the user should know, such as that the system refuses to watch, and what to do about it.
        step: Milliseconds between two looks at what the system has said: half of the time until a change is told.
        since: Nanoseconds since the epoch: what changed after them is told; unless given, what changes after this.

    Example:
        >>> import tempfile
        >>> async def first_change(folder: Path) -> frozenset[Path]:
        ...     watcher = Watcher(Scope(folder))
        ...     (folder / "agent.py").write_text("agent = None")
        ...     async with contextlib.aclosing(watcher.changes()) as changes:
        ...         return await anext(changes)
        >>> import contextlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in asyncio.run(first_change(Path(folder)))]
        ['agent.py']
    """

    def __init__(
        self,
        scope: Scope,
        *,
        notice: Callable[[str, str], None] | None = None,
        step: int = _STEP,
        since: int | None = None,
    ) -> None:
        self._since = now_ns() if since is None else since
        self._notice = notice
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._started = asyncio.Event()
        self._stop = threading.Event()
        self._inbox = Inbox(self._woken)
        self._names = Names()
        self._roots = tuple(self._names.real(scope.roots))
        self._git: GitLock | None = None
        self._looking = Looking(
            scope, self._inbox, self._names, step=step, notice=self._tell, stopped=self._stop.is_set
        )

    async def changes(self) -> AsyncGenerator[frozenset[Path]]:
        """The sets of files that changed, were made, or are gone; to be asked for once.

        Closing the generator, or cancelling who waits for it, ends the watch and its threads.

        Yields:
            The paths, as the scope or `reads` named their directories.
        """
        self._loop = asyncio.get_running_loop()
        self._wake.set()  # what was asked for before this has woken nobody
        hands = ThreadPoolExecutor(1, thread_name_prefix="sentient-look")
        try:
            changed = await self._loop.run_in_executor(hands, self._begin)
            self._started.set()
            told = 0.0
            while True:
                if changed:
                    yield changed
                    told = time.monotonic()
                await self._noticed()
                sure = await self._calm(told)
                changed = await self._loop.run_in_executor(hands, self._turn, sure)
        finally:
            self._stop.set()
            closed = hands.submit(self._looking.close)
            hands.shutdown(wait=False)
            with suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.wrap_future(closed))

    async def started(self) -> None:
        """Wait until every file is watched. Changes are told even if nobody waits for that."""
        await self._started.wait()

    def reads(self, paths: Iterable[str | os.PathLike[str]], since: int | None = None) -> None:
        """Watch more files, and directories with all that matters below them; nothing for those that are.

        Args:
            paths: Which. A file matters whatever it is called, and may not exist yet.
            since: Nanoseconds since the epoch at which they were read; what changed after that is told.
        """
        # No file is looked at here: there may be thousands, and whoever asks may have better to do.
        after = now_ns() if since is None else since
        self._inbox.ask(Request(tuple(os.fspath(path) for path in paths), after))

    # -- in the thread that looks ------------------------------------------------------------------------------------

    def _begin(self) -> frozenset[Path]:
        self._git = GitLock(self._roots[0])
        return frozenset(map(self._names.given, self._looking.start(self._roots, self._since)))

    def _turn(self, sure: bool) -> frozenset[Path]:
        return frozenset(map(self._names.given, self._looking.turn(sure)))

    # -- pace --------------------------------------------------------------------------------------------------------

    async def _noticed(self) -> None:
        """Wait until there is something to look at."""
        while not self._wake.is_set() and (left := self._looking.wait()) > 0:
            patience = min(left, _GAP)
            began = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._wake.wait()
            if time.monotonic() - began > patience + _GAP:
                self._inbox.miss()
        self._wake.clear()

    async def _calm(self, told: float) -> bool:
        """Wait out a burst; say whether it was git's, which leaves no file halfway written."""
        if not self._inbox:
            return False
        began = time.monotonic()
        if self._git is not None and self._git.held():
            while self._git.held():
                now = time.monotonic()
                if now - max(began, self._inbox.last) > _GIT_QUIET or now - began > _GIT_LONGEST:
                    self._git.give_up()
                    return False
                await asyncio.sleep(_TICK)
            await self._pause(_QUIET)
            return True
        if began - told < _BURST:
            await self._pause(_QUIET)
        return False

    async def _pause(self, quiet: float) -> None:
        began = time.monotonic()
        # Looked at now and then: waking up for each of thousands of files would cost more.
        while (now := time.monotonic()) - self._inbox.last < quiet and now - began < _LONGEST:  # noqa: ASYNC110
            await asyncio.sleep(_TICK)

    # -- between threads ---------------------------------------------------------------------------------------------

    def _woken(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    def _tell(self, what: str, fix: str) -> None:
        if self._loop is not None and self._notice is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._notice, what, fix)
