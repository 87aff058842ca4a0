"""Which files were saved since when, until a generation has told of them: no save is left out, none is told twice."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

__all__ = ["Changes", "Saved"]


class Saved(msgspec.Struct):
    """What was saved.

    Args:
        began: When the first of it was saved, in seconds; None: nothing was.
        files: As paths for people.
    """

    began: float | None = None
    files: dict[str, None] = msgspec.field(default_factory=dict)

    def add(self, began: float | None, files: Iterable[str]) -> None:
        """More was saved."""
        if self.began is None or (began is not None and began < self.began):
            self.began = began
        self.files |= dict.fromkeys(files)


class Changes:
    """Remembers saves. What a generation carries that is given up is carried by the next one.

    Example:
        >>> changes = Changes()
        >>> changes.note(["agent.py"], 1.0)
        >>> changes.carry(1.0)
        ('agent.py',)
        >>> changes.note(["tools.py"], 2.0)
        >>> changes.carry(2.0)
        ('agent.py', 'tools.py')
        >>> changes.settle(3.0)
        (1.0, ('agent.py', 'tools.py'))
    """

    def __init__(self) -> None:
        self._carried = Saved()
        self._next = Saved()

    def note(self, files: Iterable[str], now: float) -> None:
        """Files were saved."""
        self._next.add(now, files)

    def carry(self, now: float) -> tuple[str, ...]:
        """A generation is loaded from here on; all that it has and that none before it has told of."""
        self._carried.add(self._next.began, self._next.files)
        self._carried.add(now, ())
        self._next = Saved()
        return tuple(self._carried.files)

    def settle(self, now: float) -> tuple[float, tuple[str, ...]]:
        """That generation is loaded, or broken: since when its first file was saved, and its files."""
        settled, self._carried = self._carried, Saved()
        return now if settled.began is None else settled.began, tuple(settled.files)
