"""Takes the farewells out of what comes: after one the library takes nothing more, and answers may still come."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["Farewell", "FrameReader"]

_HEAD: Final = 9
_GOAWAY: Final = 7
_LARGEST: Final = 16_384
"""What a frame may have: we never allow more."""
_FIXED: Final = 8


class Farewell(NamedTuple):
    """A frame ``GOAWAY`` (RFC 9113, section 6.8).

    Args:
        last: The last stream that is still answered.
        code: Why; 0: for no fault of anybody.
    """

    last: int
    code: int


class FrameReader:
    r"""Gives whole frames, and farewells apart.

    Example:
        >>> reader = FrameReader()
        >>> ping, bye = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8), b"\0\0\x08\x07\0\0\0\0\0" + bytes(3) + b"\x05" + bytes(4)
        >>> [reader.read(piece) for piece in (ping + bye[:12], bye[12:])] == [(ping, []), (b"", [Farewell(5, 0)])]
        True
    """

    __slots__ = ("_raw", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._raw = False

    def read(self, data: bytes) -> tuple[bytes, list[Farewell]]:
        """What came, without farewells, up to the last whole frame; and these.

        Args:
            data: What came.
        """
        if self._raw:
            return data, []
        data = self._rest + data if self._rest else data
        kept: list[bytes] = []
        farewells: list[Farewell] = []
        begin = place = 0
        while len(data) - place >= _HEAD:
            size = int.from_bytes(data[place : place + 3], "big")
            if size > _LARGEST:  # is no frame, or a bad one: the library says so
                self._raw, self._rest = True, b""
                return b"".join([*kept, data[begin:]]), farewells
            end = place + _HEAD + size
            if end > len(data):
                break
            if data[place + 3] == _GOAWAY and size >= _FIXED:
                kept.append(data[begin:place])
                farewells.append(_farewell(data[place + _HEAD : end]))
                begin = end
            place = end
        self._rest = data[place:]
        kept.append(data[begin:place])
        return b"".join(kept), farewells


def _farewell(body: bytes) -> Farewell:
    return Farewell(int.from_bytes(body[:4], "big") & 0x7FFFFFFF, int.from_bytes(body[4:_FIXED], "big"))
