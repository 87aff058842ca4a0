"""Unpacks the bodies that came packed."""

from __future__ import annotations

import zlib
from typing import Final

from sentient_cli.llm.wire.broken import BrokenError, GarbledError

__all__ = ["Unpacker"]

_EITHER: Final = 47
"""gzip, or deflate with the head that it should have."""
_BARE: Final = -15
"""deflate as some send it."""
_PIECE: Final = 1024 * 1024
"""Bytes that are unpacked at once: a few packed ones can become very many."""


class Unpacker:
    """Unpacks one body.

    Args:
        encoding: What its head says.

    Raises:
        GarbledError: nobody asked for that.

    Example:
        >>> unpacker = Unpacker("deflate")
        >>> unpacker.put(zlib.compress(b"Hello"))
        >>> unpacker.take(), unpacker.take()
        (b'Hello', b'')
    """

    __slots__ = ("_begun", "_packed", "_unpack")

    def __init__(self, encoding: str) -> None:
        if encoding not in {"gzip", "x-gzip", "deflate"}:
            raise GarbledError(f"The answer is packed as {encoding!r:.40}, which nobody asked for")
        self._unpack = zlib.decompressobj(_EITHER)
        self._packed = b""
        self._begun = encoding != "deflate"

    def put(self, data: bytes) -> None:
        """More of the body came."""
        self._packed += data
        if not self._begun and self._packed:
            self._begun = True
            if self._packed[0] & 0x0F != zlib.DEFLATED:
                self._unpack = zlib.decompressobj(_BARE)

    def take(self) -> bytes:
        """Unpack a piece; nothing: there is nothing more for now.

        Raises:
            GarbledError: it is not packed as its head says.
        """
        if not self._packed:
            return b""
        try:
            piece = self._unpack.decompress(self._packed, _PIECE)
        except zlib.error:
            raise GarbledError("The answer cannot be unpacked: it is not packed as its head says") from None
        self._packed = self._unpack.unconsumed_tail
        return piece

    def end(self) -> None:
        """The body is over.

        Raises:
            BrokenError: something is missing.
        """
        if self._begun and not self._unpack.eof:
            raise BrokenError("The answer ended in the middle")
