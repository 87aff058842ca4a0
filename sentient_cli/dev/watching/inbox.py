"""What was noticed and not yet looked at, between the threads that watch and the one that looks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Inbox", "Request", "Seen"]

_MODIFIED: Final = 2
_LIMIT: Final = 20_000
"""Paths above which everything is looked at instead of each of them."""


class Request(NamedTuple):
    """Files and directories to look at from now on.

    Args:
        paths: Which, as somebody calls them.
        since: Nanoseconds since the epoch; a change after that is told.
    """

    paths: tuple[str, ...]
    since: int


class Seen(NamedTuple):
    """What to look at.

    Args:
        paths: Each with whether it was made, moved or removed, so that it may be another than before.
        directories: Directories to compare with what is known of them.
        broken: Directories that nobody watches any more.
        requests: What was asked for.
        everything: More happened than was kept.
    """

    paths: dict[str, bool]
    directories: set[str]
    broken: set[str]
    requests: list[Request]
    everything: bool


class Inbox:
    """Collects what happens until it is taken; bounded, and nothing is lost: too many paths become "everything".

    Args:
        wake: Called in any thread when there is something to take.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._seen = Seen({}, set(), set(), [], everything=False)
        self.last: float = 0.0
        """When something last happened, by the monotonic clock."""

    def put(self, said: Iterable[tuple[int, str]]) -> None:
        """Take what watchfiles says: a kind of change and a path."""
        with self._lock:
            self.last = time.monotonic()
            paths = self._seen.paths
            for kind, path in said:
                paths[path] = paths.get(path, False) or kind != _MODIFIED
            if len(paths) > _LIMIT:
                self._seen = self._seen._replace(paths={}, everything=True)
        self._wake()

    def look(self, directories: Iterable[str]) -> None:
        """Have directories compared with what is known of them."""
        with self._lock:
            self._seen.directories.update(directories)
        self._wake()

    def miss(self) -> None:
        """Have everything looked at: something may have happened unseen."""
        with self._lock:
            self._seen = self._seen._replace(everything=True)
        self._wake()

    def broke(self, directories: Iterable[str]) -> None:
        """Have directories watched again."""
        with self._lock:
            self._seen.broken.update(directories)
        self._wake()

    def ask(self, request: Request) -> None:
        """Ask for more."""
        with self._lock:
            self._seen.requests.append(request)
        self._wake()

    def take(self) -> Seen:
        """Everything so far."""
        with self._lock:
            seen, self._seen = self._seen, Seen({}, set(), set(), [], everything=False)
        return seen

    def __bool__(self) -> bool:
        with self._lock:
            seen = self._seen
            return bool(seen.paths or seen.directories or seen.requests or seen.everything)
