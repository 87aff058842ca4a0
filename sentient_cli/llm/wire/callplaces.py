"""The places of the calls of tools in a streamed answer, where each call is told to begin."""

from __future__ import annotations

__all__ = ["CallPlaces"]


class CallPlaces:
    """Gives each call that begins a place of its own, whatever the server calls it.

    A server may give several calls one index, or none at all; then what comes belongs to the last that began.

    Example:
        >>> places = CallPlaces()
        >>> places.begin(0), places.begin(0), places.begin(2), places.begin(None)
        (0, 1, 2, 3)
        >>> places.find(0), places.find(2), places.find(None), places.find(5)
        (1, 2, 3, None)
    """

    __slots__ = ("_by_id", "_by_index", "_used")

    def __init__(self) -> None:
        self._used: set[int] = set()
        self._by_index: dict[int | None, int] = {}
        self._by_id: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many calls have begun."""
        return len(self._used)

    def begin(self, index: int | None, identity: str | None = None) -> int:
        """The place of a call that begins.

        Args:
            index: What the server calls its place.
            identity: By which its pieces name it, if they do.
        """
        place = index
        if place is None or place in self._used:
            place = next(free for free in range(len(self._used) + 1) if free not in self._used)
        self._used.add(place)
        self._by_index[index] = place
        if identity is not None:
            self._by_id[identity] = place
        return place

    def find(self, index: int | None, identity: str | None = None) -> int | None:
        """The place of the call that a piece belongs to; None: no such call has begun.

        Args:
            index: As for `begin`.
            identity: As for `begin`.
        """
        found = self._by_id.get(identity) if identity is not None else None
        return self._by_index.get(index) if found is None else found
