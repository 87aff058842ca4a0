"""uvicorn's HTTP protocol with what it lacks: a time limit for the headers, and a way to drop a stuck client."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["make_protocol"]


def make_protocol(header_timeout: float) -> type[HttpToolsProtocol]:  # noqa: C901 - many small callbacks
    """A protocol class for uvicorn's ``http`` setting.

    Args:
        header_timeout: Seconds from the connection, or the first byte of a later request, to the end of the headers.
    """

    class TimedProtocol(HttpToolsProtocol):
        _header_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(cast("asyncio.Transport", transport))
            self._await_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._headers_came()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            cast("dict[str, object]", self.scope)["sentient.abort"] = self.transport.abort
            if self._header_timer is None:
                self._await_headers()

        def on_headers_complete(self) -> None:
            self._headers_came()
            super().on_headers_complete()

        def _await_headers(self) -> None:
            self._header_timer = self.loop.call_later(header_timeout, self._headers_late)

        def _headers_came(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _headers_late(self) -> None:
            self._header_timer = None
            if not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                self.transport.close()

    return TimedProtocol
