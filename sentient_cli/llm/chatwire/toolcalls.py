"""Pieces of tool calls, told apart where a server does not do it."""

from __future__ import annotations

from sentient_cli.llm.assembly import is_whole
from sentient_cli.llm.chatwire.frames import CallDelta
from sentient_cli.llm.types import ToolCallDelta

__all__ = ["CallSorter"]


class _Call:
    __slots__ = ("arguments", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.name = ""
        self.arguments: list[str] = []


class CallSorter:
    """Gives each call of an answer a place of its own.

    Another index is another call, whatever its id; so is a new id on a used index, when it comes with a name. Without
    an index the id tells. What has neither belongs to the open call. In all cases another name begins another call,
    and so does the same name once the arguments are complete.

    Example:
        >>> from sentient_cli.llm.chatwire.frames import Function
        >>> sorter = CallSorter()
        >>> one = sorter.sort(CallDelta(0, "call_a", Function("add", "{}")))
        >>> two = sorter.sort(CallDelta(0, "call_b", Function("sub", "{}")))
        >>> one.index, two.index, two.id
        (0, 1, 'call_b')
    """

    __slots__ = ("_by_id", "_by_index", "_calls", "_open")

    def __init__(self) -> None:
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}
        self._calls: list[_Call] = []
        self._open: int | None = None

    @property
    def count(self) -> int:
        """How many calls there are."""
        return len(self._calls)

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
        if place is not None and name is not None and self._begins(place, delta, name, arguments):
            place = None
        first_id = None
        if place is None:
            place = len(self._calls)
            self._calls.append(_Call(delta.index))
            if identity is not None:
                first_id = None if identity in self._by_id else identity  # no two calls have one
                self._by_id[identity] = place
        elif identity is not None:
            self._by_id.setdefault(identity, place)
        call = self._calls[place]
        self._open = place
        if delta.index is not None:
            self._by_index[delta.index] = place
        first_name = name if name and not call.name else None
        call.name = call.name or name or ""
        if arguments:
            call.arguments.append(arguments)
        return ToolCallDelta(place, first_id, first_name, arguments)

    def _find(self, index: int | None, identity: str | None, name: str | None) -> int | None:
        by_id = self._by_id.get(identity) if identity is not None else None
        if index is None:
            return self._open if identity is None else by_id
        known = self._by_index.get(index)
        if known is None:
            return by_id if by_id is not None and self._calls[by_id].index is None else None
        is_new = identity is not None and name is not None and self._by_id.get(identity) != known
        return None if is_new else known

    def _begins(self, place: int, delta: CallDelta, name: str, arguments: str) -> bool:
        call = self._calls[place]
        if not call.name or name != call.name:
            return bool(call.name)
        if delta.index is None and not delta.id and not call.arguments:
            return True
        return bool(arguments.strip()) and is_whole(call.arguments)
