"""The fast protocol: uvicorn's on httptools, with limits for the headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sentient_cli.server.header_limits import MAX_HEADERS, HeaderLimits
from sentient_cli.server.http10 import end_with_the_connection

if TYPE_CHECKING:
    import asyncio

    from sentient_cli.server.header_limits import Cycle
    from sentient_cli.server.http10 import AnswerCycle

__all__ = ["LimitedHttpToolsProtocol"]

_TOO_LARGE = b"431 Request Header Fields Too Large"


class LimitedHttpToolsProtocol(HeaderLimits, HttpToolsProtocol):
    """uvicorn's protocol, where httptools is installed."""

    # uvicorn's own attributes just fit into a dictionary whose keys all instances share; three more would not.
    __slots__ = ("_fields_size", "_header_size", "_header_timer")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._header_timer = None
        self._header_size = 0
        self._fields_size = 0
        super().connection_made(cast("asyncio.Transport", transport))
        self.await_headers()

    def current(self) -> Cycle | None:
        """The last request, whether it is answered already or not."""
        return cast("Cycle | None", self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self.headers_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        super().data_received(data)
        if self._header_timer is None:
            self._header_size = 0
            return
        self._header_size += len(data)
        if self._header_size > MAX_HEADERS:
            self.refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._fields_size = 0
        cast("dict[str, object]", self.scope)["sentient.abort"] = self.transport.abort
        self.await_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header has come."""
        self._fields_size += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """All headers have come."""
        self.headers_came()
        if self._fields_size + len(self.url) > MAX_HEADERS:
            self.refuse(_TOO_LARGE)
        else:
            super().on_headers_complete()
            if self.scope["http_version"] == "1.0":
                end_with_the_connection(cast("AnswerCycle", self.cycle))
