"""Installed packages that a generation had to import itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["Latecomers"]

_QUIET: Final = 1.5


class Latecomers:
    """Collects what is to be imported before the next generation is forked: once, and while nobody saves.

    Example:
        >>> latecomers = Latecomers()
        >>> latecomers.learn(["numpy"], 10.0)
        >>> latecomers.due(11.0), latecomers.due(12.0), latecomers.due(13.0)
        ((), ('numpy',), ())
    """

    def __init__(self) -> None:
        self._new: dict[str, None] = {}
        self._known: dict[str, None] = {}
        self._quiet_since = 0.0

    def learn(self, names: Iterable[str], now: float) -> None:
        """A generation has imported these.

        Args:
            names: Which.
            now: A time in seconds.
        """
        names = tuple(names)
        self._new |= {name: None for name in names if name not in self._known}
        self._known |= dict.fromkeys(names)
        self.wait(now)

    def wait(self, now: float) -> None:
        """Somebody is at work: import nothing for a moment."""
        self._quiet_since = now

    def due(self, now: float) -> tuple[str, ...]:
        """What should be imported now, which is told once."""
        if now - self._quiet_since <= _QUIET:
            return ()
        names, self._new = tuple(self._new), {}
        return names
