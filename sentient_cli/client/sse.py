"""Server-sent events, decoded from bytes that may be cut anywhere.

Follows "Parsing an event stream" and "Interpreting an event stream" of
https://html.spec.whatwg.org/multipage/server-sent-events.html. Lines end at CR, LF or CRLF and at nothing else: one
that splits as ``str.splitlines`` does breaks at U+2028, which JSON may hold.
"""

from __future__ import annotations

from typing import NamedTuple

from sentient_cli.errors import NetworkError

__all__ = ["Frame", "SseDecoder"]

_BOM = b"\xef\xbb\xbf"
_LF = 10
_DEFAULT_LIMIT = 16 * 1024 * 1024


class Frame(NamedTuple):
    """One dispatched event of the stream.

    Args:
        event: Its type; empty when the stream named none.
        data: Its data lines, joined by line feeds.
        last_id: The last event id of the stream at this point; empty when it never had one.
    """

    event: str
    data: str
    last_id: str


class SseDecoder:
    r"""Turn bytes into frames as soon as their blank line is there.

    Args:
        limit: The most bytes that one frame may take, line ends included.

    Example:
        >>> decoder = SseDecoder()
        >>> decoder.feed(b"id: 7\nevent: PLAN\nda")
        []
        >>> decoder.feed(b"ta: one\ndata: two\n\n")
        [Frame(event='PLAN', data='one\ntwo', last_id='7')]
        >>> decoder.last_id
        '7'
    """

    def __init__(self, *, limit: int = _DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._line = bytearray()
        self._size = 0
        self._at_start = True
        self._after_cr = False
        self._event = ""
        self._data: list[str] = []
        self._id = ""
        self.last_id: str = ""
        """The id that a reconnecting client names."""
        self.retry_ms: int | None = None
        """How long the server wants a client to wait before it connects again."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes and return the frames that they complete.

        Raises:
            NetworkError: a frame is larger than the limit.
        """
        frames: list[Frame] = []
        start = 0
        length = len(data)
        if self._after_cr and length:
            self._after_cr = False
            start = int(data[0] == _LF)
        while start < length:
            end = _line_end(data, start)
            self._take(data[start:end])
            if end == length:
                break
            start = self._after(data, end)
            frame = self._end_line()
            if frame is not None:
                frames.append(frame)
        return frames

    def _after(self, data: bytes, end: int) -> int:
        """The index after the line end at ``end``; remembers a CR whose LF may still come."""
        if data[end] == _LF:
            return end + 1
        if end + 1 == len(data):
            self._after_cr = True
            return end + 1
        return end + 1 + int(data[end + 1] == _LF)

    def _take(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            raise NetworkError(
                "The server sent an event that is too large",
                why=f"More than {self._limit} bytes came without the end of the event",
                fix="Check that the URL is that of an agent",
            )
        self._line += part

    def _end_line(self) -> Frame | None:
        line = bytes(self._line)
        self._line.clear()
        self._size += 1
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        if line.startswith(b":"):
            # Heartbeats come without a blank line; they must not add up to the limit of a frame.
            self._size -= len(line) + 1
            return None
        name, _, value = line.decode("utf-8", "replace").partition(":")
        self._field(name, value.removeprefix(" "))
        return None

    def _field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            if "\0" not in value:
                self._id = value
        elif name == "retry" and value.isascii() and value.isdigit() and len(value) <= 9:  # noqa: PLR2004 - 11 days
            self.retry_ms = int(value)

    def _dispatch(self) -> Frame | None:
        data, event = self._data, self._event
        self._data, self._event, self._size = [], "", 0
        self.last_id = self._id
        # One empty data line makes a data buffer of "\n", which is not the empty one: it is dispatched.
        return Frame(event, "\n".join(data), self.last_id) if data else None


def _line_end(data: bytes, start: int) -> int:
    lf = data.find(b"\n", start)
    end = len(data) if lf < 0 else lf
    cr = data.find(b"\r", start, end)
    return end if cr < 0 else cr
