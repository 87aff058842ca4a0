"""Server-sent events as models stream them, taken apart for next to nothing.

Source: the event stream format of the HTML standard, https://html.spec.whatwg.org/multipage/server-sent-events.html.
Only ``event`` and ``data`` mean something here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["EventDecoder", "OversizedEventError", "ServerSentEvent"]

MAX_EVENT: Final = 32 * 1024 * 1024
_BOM: Final = b"\xef\xbb\xbf"
# As numbers, since the search for a number costs a tenth of that for a piece of bytes.
_LF: Final = 10
_CR: Final = 13
_PREFIX: Final = b"data: "
_DATA: Final = b"\ndata: "
_LONGEST_PREFIX: Final = 128
_SMALL: Final = 4096
"""Bytes of an unfinished event up to which it is quickest to take it anew with each piece."""


class OversizedEventError(ValueError):
    """An event that never ends, or is larger than any that models stream."""


class ServerSentEvent(NamedTuple):
    """One event.

    Args:
        name: Its name; empty when it has none.
        data: What it carries: UTF-8 that nobody has looked at yet.
    """

    name: bytes
    data: bytes


class EventDecoder:
    r"""Takes a stream apart, whatever the pieces in which it comes.

    An event without data is none. An event whose end never came is told by `end`.

    Args:
        max_event: Bytes that an event may have.

    Example:
        >>> decoder = EventDecoder()
        >>> decoder.feed(b'data: {"a"')
        []
        >>> decoder.feed(b':1}\n\nevent: ping\ndata: {}\n\n: a comment\n\n')
        [ServerSentEvent(name=b'', data=b'{"a":1}'), ServerSentEvent(name=b'ping', data=b'{}')]
    """

    __slots__ = ("_held", "_is_between", "_large", "_max", "_prefix", "_prefix_size", "_rest", "_small", "_started")

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max = max_event
        self._small = min(_SMALL, max_event)
        # The beginning of an event whose end has not come: in one of the two.
        self._rest: bytes = b""
        self._large: bytearray = bytearray()
        self._held = False  # a carriage return came last, which may be the half of a line's end
        self._started = False
        self._is_between: bool = False  # nothing is held of an event or a line
        self._prefix: bytes = _PREFIX
        self._prefix_size = len(_PREFIX)

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next piece, and give the events that are whole now.

        Raises:
            OversizedEventError: an event is too large.
        """
        return [event for frame in self._frames(data) if (event := _parse(frame)) is not None]

    def carried(self, data: bytes) -> list[bytes]:
        r"""The same without their names: what the events carry. Those that carry nothing are left out.

        Args:
            data: The next piece.

        Raises:
            OversizedEventError: an event is too large.

        Example:
            >>> EventDecoder().carried(b"event: ping\ndata: {}\n\ndata: 1\n\ndata:\n\n")
            [b'{}', b'1']
        """
        prefix, size = self._prefix, self._prefix_size
        if self._is_between and data[:size] == prefix and data[-2:] == b"\n\n" and _CR not in data:
            # What nearly always comes: one event, of one line besides its name, which is that of the one before it.
            only = data[size:-2]
            if only and _LF not in only:
                return [only]
        carried: list[bytes] = []
        for frame in self._frames(data):
            only = frame[size:]
            if _LF in only or frame[:size] != prefix:
                only = _carried(frame)
                self._learn(frame)
                prefix, size = self._prefix, self._prefix_size
            if only:
                carried.append(only)
        return carried

    def _learn(self, frame: bytes) -> None:
        """Expect that events begin from now on, up to what they carry, as this one does."""
        name, mark, _ = frame.partition(_DATA)
        # Of an event without such a line, the name is no beginning: one that is longer would begin with it as well.
        prefix = name + mark if mark and frame[:7] == b"event: " and _LF not in name else _PREFIX
        if len(prefix) <= _LONGEST_PREFIX:
            self._prefix, self._prefix_size = prefix, len(prefix)

    def _frames(self, data: bytes) -> list[bytes]:
        """The events that are whole now, as they came."""
        if _CR in data or self._held or not self._started:
            data = self._lines(data)
        if self._large:
            data = self._grown(data)
        elif self._rest:
            data = self._rest + data
        *frames, rest = data.split(b"\n\n")
        if len(rest) > self._small:
            self._large += rest
            self._check()
            rest = b""
        self._rest = rest
        self._is_between = self._started and not (rest or self._held or self._large)
        return frames

    def _grown(self, data: bytes) -> bytes:
        """A large event and what comes after it; nothing while its end is not there. Only what is new is searched."""
        large = self._large
        searched = len(large) - 1  # the first half of the mark may be there already
        large += data
        if large.find(b"\n\n", searched) < 0:
            self._check()
            return b""
        data = bytes(large)
        large.clear()
        return data

    def _check(self) -> None:
        if len(self._large) > self._max:
            raise OversizedEventError

    def _lines(self, data: bytes) -> bytes:
        """Data whose lines all end with a line feed; the half of a line's end is held."""
        if not self._started:
            data, self._rest = self._rest + data, b""
            if len(data) < len(_BOM) and _BOM.startswith(data):
                return data
            self._started = True
            data = data.removeprefix(_BOM)
        if self._held:
            data = b"\r" + data
        self._held = data.endswith(b"\r")
        return (data[:-1] if self._held else data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def end(self) -> ServerSentEvent | None:
        """The stream is over: what was left, if its lines are whole and only the blank line after them is missing."""
        rest = bytes(self._large) + self._rest + (b"\n" if self._held else b"")
        self._large.clear()
        self._rest, self._held = b"", False
        return _parse(rest) if rest.endswith(b"\n") else None


def _carried(frame: bytes) -> bytes:
    """What an event carries; the two forms that models stream need not be taken apart line by line."""
    if frame[:6] == b"data: " and _LF not in frame:
        return frame[6:]
    if frame[:7] == b"event: ":
        name, _, carried = frame.partition(_DATA)
        if _LF not in name and _LF not in carried:
            return carried
    event = _parse(frame)
    return b"" if event is None else event.data


def _parse(frame: bytes) -> ServerSentEvent | None:
    name = b""
    datas: list[bytes] = []
    for line in frame.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            datas.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return ServerSentEvent(name, b"\n".join(datas)) if datas else None
