"""One bounded look after another at what may have changed; for the thread that reads files."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from sentient_cli.dev.watching.eyes import Eyes
from sentient_cli.dev.watching.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentient_cli.dev.watching.inbox import Inbox, Seen
    from sentient_cli.dev.watching.names import Names
    from sentient_cli.dev.watching.scope import Scope

__all__ = ["Looking"]

_GRACE: Final = 0.025
"""Seconds in which a file that is new, gone or empty may turn out to be halfway through being saved."""
_POLL: Final = 0.5
"""Seconds between two looks at what the system does not watch: links, missing directories, and all when it refuses."""
_SWEEP: Final = 10.0
"""Seconds between two looks at everything, for what the system did not tell, as on some network drives."""
_SLICE: Final = 0.01
_PAUSE: Final = 0.02
_MANY: Final = 500
"""Paths at once of which the system may have dropped some."""
_FLOOD: Final = 4000
"""Paths at once that are likely not all, so that even a directory may be another one than before."""


class _Round:
    """Looks at directories again and again, for a limited share of the time.

    Args:
        least: Seconds between the end of a round and the next.
        factor: The time between two rounds, as a multiple of what a round took.
        listed: The directories.
    """

    def __init__(self, least: float, factor: float, listed: Callable[[], list[str]]) -> None:
        self._least = least
        self._factor = factor
        self._listed = listed
        self._ahead: deque[str] = deque()
        self._spent = 0.0
        self.at = time.monotonic() + least

    def go(self, look: Callable[[str], None], now: float) -> None:
        """Look for a moment, when it is time."""
        if now < self.at:
            return
        if not self._ahead:
            self._ahead.extend(self._listed())
            self._spent = 0.0
        while self._ahead and time.monotonic() < now + _SLICE:
            look(self._ahead.popleft())
        self._spent += time.monotonic() - now
        self.at = time.monotonic() + (_PAUSE if self._ahead else max(self._least, self._factor * self._spent))


class Looking:
    """Looks at what the inbox holds, at what is doubtful, and from time to time at what nobody tells of.

    Args:
        scope: Which files matter.
        inbox: What was noticed.
        names: What files are called.
        step: Milliseconds, as `Eyes` takes them.
        notice: Told what the user should know, and what to do about it.
        stopped: Whether to give up.
    """

    def __init__(
        self,
        scope: Scope,
        inbox: Inbox,
        names: Names,
        *,
        step: int,
        notice: Callable[[str, str], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._inbox = inbox
        self._names = names
        self._notice = notice
        self._eyes = Eyes(inbox, step=step)
        self._refused = False
        self.tree: Tree = Tree(scope, self._watch, notice, stopped)
        self._doubts: dict[str, float] = {}
        self._broken: set[str] = set()
        self._links = _Round(_POLL, 5, self.tree.links)
        self._blind = _Round(_POLL, 5, lambda: [*self.tree.blind])
        self._sweep = _Round(_SWEEP, 100, self.tree.directories)

    def start(self, roots: tuple[str, ...], since: int) -> set[str]:
        """Watch the roots.

        Returns:
            What changed after ``since``, in nanoseconds since the epoch.
        """
        for root in roots:
            if not os.path.isfile(root):
                self.tree.expect(root)
            self.tree.add(root, since)
        return self._found()

    def turn(self, sure: bool) -> set[str]:
        """Look at what there is to look at now.

        Args:
            sure: Whether nothing is halfway through being saved.

        Returns:
            The files that changed.
        """
        now = time.monotonic()
        self._noticed(self._inbox.take(), sure=sure)
        for path in [path for path, due in self._doubts.items() if due <= now]:
            del self._doubts[path]
            self.tree.examine(path, sure=True)
        self._rounds(now)
        return self._found()

    def wait(self) -> float:
        """Seconds until there is something to look at although nothing was noticed."""
        due = min([*self._doubts.values(), self._sweep.at])
        if self.tree.links():
            due = min(due, self._links.at)
        if self.tree.blind or self._broken:
            due = min(due, self._blind.at)
        return max(0.0, due - time.monotonic())

    def close(self) -> None:
        """End every thread."""
        self._eyes.close()

    def _noticed(self, seen: Seen, *, sure: bool) -> None:
        for request in seen.requests:
            for path in self._names.real(request.paths):
                self.tree.add(path, request.since, asked=True)
        for path, anew in seen.paths.items():
            self.tree.examine(path, anew=anew, sure=sure)
        for path in seen.directories:
            self.tree.look(path)
        if seen.everything or len(seen.paths) > _FLOOD:
            self.tree.again()
        elif len(seen.paths) > _MANY:
            self._sweep.at = 0.0
        self._broken |= seen.broken

    def _rounds(self, now: float) -> None:
        if self._broken and now >= self._blind.at:
            self.tree.rewatch(self._broken)
            for path in self._broken:
                self.tree.look(path)
            self._broken = set()
        self._links.go(self.tree.glance, now)
        self._blind.go(self.tree.look, now)
        self._sweep.go(self.tree.look, now)

    def _found(self) -> set[str]:
        changed, doubtful = self.tree.take()
        due = time.monotonic() + _GRACE
        for path in doubtful:
            self._doubts.setdefault(path, due)
        for path in changed:
            self._doubts.pop(path, None)
        return changed

    def _watch(self, directories: list[str]) -> list[str]:
        refused = self._eyes.watch(directories)
        if self._eyes.refusal is not None and not self._refused:
            self._refused = True
            self._notice(*_refusal(self._eyes.refusal))
        return refused


def _refusal(text: str) -> tuple[str, str]:
    what = "The system watches no more files; they are looked at twice a second, or less often when they are many"
    if "os error 24" in text:
        return what, "Raise the limits: `sudo sysctl fs.inotify.max_user_instances=1024`, and `ulimit -n 4096`"
    return what, "Raise the limit: `sudo sysctl fs.inotify.max_user_watches=524288`"
