"""Pieces of tool calls, told apart where a server does not do it."""

from __future__ import annotations

from sentient_cli.llm.chatwire.frames import CallDelta
from sentient_cli.llm.types import ToolCallDelta

__all__ = ["CallSorter"]


class CallSorter:
    """Gives each call of an answer a place of its own.

    By id first; a new id on a used index is a new call when it comes with a name; a name where neither id nor index
    tells anything is one as well, once the open call has its own; all else belongs to the open call.

    Example:
        >>> from sentient_cli.llm.chatwire.frames import Function
        >>> sorter = CallSorter()
        >>> one = sorter.sort(CallDelta(0, "call_a", Function("add", "{}")))
        >>> two = sorter.sort(CallDelta(0, "call_b", Function("sub", "{}")))
        >>> one.index, two.index, two.id
        (0, 1, 'call_b')
    """

    __slots__ = ("_by_id", "_by_index", "_named", "_open")

    def __init__(self) -> None:
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}
        self._named: list[bool] = []
        self._open: int | None = None

    @property
    def count(self) -> int:
        """How many calls there are."""
        return len(self._named)

    def sort(self, delta: CallDelta) -> ToolCallDelta:
        """The piece, with the place of its call, and with its id and name on the first of its pieces only.

        Args:
            delta: As the server sent it.
        """
        function = delta.function
        name = (function.name if function else None) or None
        arguments = (function.arguments if function else None) or ""
        identity = delta.id or None
        place = self._find(delta.index, identity, name)
        new = place is None
        if place is None:
            place = len(self._named)
            self._named.append(False)
        self._open = place
        if delta.index is not None:
            self._by_index[delta.index] = place
        if identity is not None:
            self._by_id.setdefault(identity, place)
        first_name = name if name and not self._named[place] else None
        self._named[place] = self._named[place] or bool(name)
        return ToolCallDelta(place, identity if new else None, first_name, arguments)

    def _find(self, index: int | None, identity: str | None, name: str | None) -> int | None:
        if identity is not None and identity in self._by_id:
            return self._by_id[identity]
        if index is not None:
            known = self._by_index.get(index)
            return None if known is None or (identity is not None and name is not None) else known
        if self._open is None or identity is not None:
            return None
        return None if name is not None and self._named[self._open] else self._open
