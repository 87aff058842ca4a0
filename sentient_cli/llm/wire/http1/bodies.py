"""The body of an answer in HTTP/1.1, taken out of what comes over the connection."""

from __future__ import annotations

import re
from typing import Final, Protocol

from sentient_cli.llm.wire.broken import BrokenError, GarbledError

__all__ = ["Body", "Chunked", "Endless", "Sized"]

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_LONGEST_LINE: Final = 16 * 1024
"""Bytes of the line that tells the size of a chunk, and of what may follow the last one."""
_MOST_KNOWN: Final = 4096
_ENDED: Final = "The answer ended in the middle"

_known: Final[dict[bytes, int]] = {}
"""Sizes of chunks that were read before, by the line that tells them: the pieces of models are small and much alike."""


def _whole(data: bytes, pieces: list[bytes]) -> int:
    """Take the whole chunks whose sizes are known, and give the place after them: of those nothing is left to check."""
    place = 0
    while True:
        line = data.find(b"\r\n", place)
        size = _known.get(data[place:line], 0)
        end = line + 2 + size
        if line < 0 or not size or data[end : end + 2] != b"\r\n":
            return place
        pieces.append(data[line + 2 : end])
        place = end + 2


class Body(Protocol):
    """Takes a body out of what comes."""

    is_over: bool
    """Whether all of it was there."""
    keeps: bool
    """Whether nothing came after it, so that the connection is as it was before."""

    def take(self, data: bytes) -> bytes:
        """Take what comes, and give what of it belongs to the body.

        Raises:
            GarbledError: it is not what the protocol allows.
        """
        ...

    def close(self) -> None:
        """The connection has ended.

        Raises:
            BrokenError: something is missing.
        """
        ...


class Sized:
    """A body of a size that was told before.

    Args:
        size: Its bytes.

    Example:
        >>> body = Sized(5)
        >>> body.take(b"Hel"), body.take(b"lo"), body.is_over
        (b'Hel', b'lo', True)
    """

    __slots__ = ("_left", "is_over", "keeps")

    def __init__(self, size: int) -> None:
        self._left = size
        self.is_over: bool = not size
        self.keeps: bool = True

    def take(self, data: bytes) -> bytes:
        """Take what comes; what comes after the body is dropped, and the connection with it."""
        if len(data) > self._left:
            self.keeps = False
            data = data[: self._left]
        self._left -= len(data)
        self.is_over = not self._left
        return data

    def close(self) -> None:
        """The connection has ended.

        Raises:
            BrokenError: something is missing.
        """
        raise BrokenError(_ENDED)


class Endless:
    """A body that ends with its connection.

    Example:
        >>> body = Endless()
        >>> body.take(b"Hel"), body.close(), body.is_over
        (b'Hel', None, True)
    """

    __slots__ = ("is_over", "keeps")

    def __init__(self) -> None:
        self.is_over: bool = False
        self.keeps: bool = False

    def take(self, data: bytes) -> bytes:
        """Take what comes: all of it is the body."""
        return data

    def close(self) -> None:
        """The connection has ended, and the body with it."""
        self.is_over = True


class Chunked:
    r"""A body in chunks, each with its size before it (RFC 9112, section 7.1).

    Example:
        >>> body = Chunked()
        >>> body.take(b"3\r\nHel\r\n2;why=not\r\nl"), body.take(b"o\r\n0\r\n\r\n"), body.is_over
        (b'Hell', b'o', True)
    """

    __slots__ = ("_is_between", "_left", "_rest", "_trails", "is_over", "keeps")

    def __init__(self) -> None:
        self._left = 0  # bytes that are missing of a chunk, with the line's end after it
        self._rest: bytes = b""  # the beginning of a line
        self._is_between = True  # nothing is missing of the chunk before
        self._trails = False  # the last chunk was there; what may follow it is of no interest
        self.is_over: bool = False
        self.keeps: bool = True

    def take(self, data: bytes) -> bytes:
        """Take what comes, and give what of it belongs to the body.

        Raises:
            GarbledError: it is not what the protocol allows.
        """
        if self._is_between:  # nearly always one whole chunk comes
            line, _, rest = data.partition(b"\r\n")
            if len(rest) - 2 == _known.get(line) and rest[-2:] == b"\r\n":
                return rest[:-2]
        return self._taken(data)

    def _taken(self, data: bytes) -> bytes:
        data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        place = 0 if self._left or self._trails else _whole(data, pieces)
        while place < len(data) and not self.is_over:
            if self._left:
                place = self._chunk(data, place, pieces)
                continue
            end = data.find(b"\r\n", place)
            if end < 0:
                self._rest = data[place:]
                break
            self._line(data[place:end])
            place = end + 2
        if len(self._rest) > _LONGEST_LINE:
            raise GarbledError("A line between the chunks of the answer is too long")
        self._is_between = not (self._left or self._rest or self._trails)
        if self.is_over and place < len(data):
            self.keeps = False
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _chunk(self, data: bytes, place: int, pieces: list[bytes]) -> int:
        """Take of a chunk what is there, and give the place after it."""
        came = data[place : place + self._left]
        piece = came[: max(0, self._left - 2)]
        if piece:
            pieces.append(piece)
        # The two characters at its end, of which only the second may be there.
        if came[len(piece) :] != b"\r\n"[2 - min(2, self._left) :][: len(came) - len(piece)]:
            raise GarbledError("A chunk of the answer is not as long as it says")
        self._left -= len(came)
        return place + len(came)

    def _line(self, line: bytes) -> None:
        """Take what stands between two chunks."""
        if self._trails:
            self.is_over = not line
            return
        size = _known.get(line)
        if size is None:
            found = _SIZE.fullmatch(line)
            if found is None:
                raise GarbledError("The answer comes in chunks, and one of them has no size")
            size = int(found[1], 16)
            if size and len(_known) < _MOST_KNOWN and len(line) <= 8:  # noqa: PLR2004 - as those are that come again
                _known[line] = size
        if size:
            self._left = size + 2
        else:
            self._trails = True

    def close(self) -> None:
        """The connection has ended.

        Raises:
            BrokenError: something is missing.
        """
        raise BrokenError(_ENDED)
