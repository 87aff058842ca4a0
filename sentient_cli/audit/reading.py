"""Lines of a log, from its beginning or from its end, whatever bytes they are, and however long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from sentient_cli.audit.line import LONGEST

__all__ = ["Piece", "pieces", "pieces_backwards"]

_CHUNK: Final = 256 * 1024


class Piece(NamedTuple):
    """A line, or a part of one that is too long to be ours.

    Args:
        data: Its bytes, without the line break.
        begins: Whether it is the beginning of a line.
        ended: Whether a line break follows it.
    """

    data: bytes
    begins: bool
    ended: bool

    @property
    def whole(self) -> bool:
        """Whether it may be an entry."""
        return self.begins and len(self.data) <= LONGEST


def pieces(stream: BinaryIO, size: int) -> Iterator[Piece]:
    """The lines from where a stream stands.

    Args:
        stream: The log.
        size: How many bytes of it are looked at: what is appended meanwhile is not.
    """
    begins = True
    while size > 0 and (data := stream.readline(min(LONGEST + 1, size))):
        size -= len(data)
        ended = data.endswith(b"\n")
        yield Piece(data[:-1] if ended else data, begins, ended)
        begins = ended


def pieces_backwards(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The lines of the first ``size`` bytes of a log, the last one first; of one that is too long only a part."""
    end, rest = size, b""
    while end > 0:
        start = max(0, end - _CHUNK)
        stream.seek(start, os.SEEK_SET)
        lines = (stream.read(end - start) + rest).split(b"\n")
        if end == size and lines[-1] == b"":
            lines.pop()
        end = start
        rest = lines[0][: LONGEST + 1]
        yield from reversed(lines[1:])
    if size > 0:
        yield rest
