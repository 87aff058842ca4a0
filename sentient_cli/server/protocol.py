"""uvicorn's HTTP protocol with what it lacks: limits of time and size for the headers, and a way to drop a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    import asyncio

__all__ = ["MAX_HEADERS", "make_protocol"]

MAX_HEADERS = 64 * 1024
"""Bytes of a request's line and headers."""


def make_protocol(header_timeout: float) -> type[HttpToolsProtocol]:  # noqa: C901 - many small callbacks
    """A protocol class for uvicorn's ``http`` setting.

    Args:
        header_timeout: Seconds from the connection, or the first byte of a later request, to the end of the headers.
    """

    class TimedProtocol(HttpToolsProtocol):
        _header_timer: asyncio.TimerHandle | None = None
        _header_size = 0
        _fields_size = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(cast("asyncio.Transport", transport))
            self._await_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._headers_came()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._header_timer is None:
                self._header_size = 0
                return
            self._header_size += len(data)
            if self._header_size > MAX_HEADERS:
                self._refuse(b"431 Request Header Fields Too Large")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._fields_size = 0
            cast("dict[str, object]", self.scope)["sentient.abort"] = self.transport.abort
            if self._header_timer is None:
                self._await_headers()

        def on_header(self, name: bytes, value: bytes) -> None:
            self._fields_size += len(name) + len(value)
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._headers_came()
            if self._fields_size + len(self.url) > MAX_HEADERS:
                self._refuse(b"431 Request Header Fields Too Large")
            else:
                super().on_headers_complete()

        def _await_headers(self) -> None:
            self._header_timer = self.loop.call_later(header_timeout, self._headers_late)

        def _headers_came(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _headers_late(self) -> None:
            self._header_timer = None
            self._refuse(b"408 Request Timeout")

        def _refuse(self, status: bytes) -> None:
            self._headers_came()
            cycle = cast("RequestResponseCycle | None", self.cycle)
            answering = cycle is not None and not cycle.response_complete
            if not self.transport.is_closing():
                if not answering:  # an answer that is going on must not have this in its middle
                    self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                self.transport.close()

    return TimedProtocol
