"""A transport that notes what is written, for a process that has to know it when this one has crashed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentient_cli.server.ledger import Page

__all__ = ["CountingTransport"]


class CountingTransport(asyncio.Transport):
    """A transport that notes on a page what is written.

    Args:
        transport: Writes.
        page: Of the connection.
    """

    __slots__ = ("_page", "_transport")

    def __init__(self, transport: asyncio.Transport, page: Page) -> None:
        super().__init__()
        self._transport = transport
        self._page = page

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write."""
        self._page.wrote(len(data))
        self._transport.write(data)

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What the transport knows."""
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether it is about to end."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End once everything is written."""
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return self._transport.is_reading()

    def pause_reading(self) -> None:
        """Read no more."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when writing has to wait."""
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """How many bytes wait to be written."""
        return self._transport.get_write_buffer_size()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol told of what comes."""
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told of what comes."""
        return self._transport.get_protocol()
