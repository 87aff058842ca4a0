"""The fast protocol: uvicorn's on httptools, with limits for the headers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sentient_cli.server.header_limits import MAX_HEADERS, HeaderLimits
from sentient_cli.server.http10 import end_with_the_connection
from sentient_cli.server.upgrades import announces_body, parse_body

if TYPE_CHECKING:
    import asyncio

    from httptools import HttpRequestParser

    from sentient_cli.server.header_limits import Cycle
    from sentient_cli.server.http10 import AnswerCycle

__all__ = ["LimitedHttpToolsProtocol"]

_TOO_LARGE = b"431 Request Header Fields Too Large"


class LimitedHttpToolsProtocol(HeaderLimits, HttpToolsProtocol):
    """uvicorn's protocol, where httptools is installed."""

    # uvicorn's own attributes just fit into a dictionary whose keys all instances share; more would not.
    __slots__ = ("_body_at", "_fields_size", "_header_size", "_header_timer", "page")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._header_timer = None
        self._header_size = 0
        self._fields_size = 0
        self._body_at: int | None = None
        super().connection_made(self.noted(cast("asyncio.Transport", transport)))
        self.await_headers()

    def current(self) -> Cycle | None:
        """The last request, whether it is answered already or not."""
        return cast("Cycle | None", self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self.headers_came()
        super().connection_lost(exc)
        self.is_over()

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        super().data_received(data)
        if self._body_at is not None:
            self._take_body(data)
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
        self.introduce(cast("dict[str, object]", self.scope))
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

    def on_message_complete(self) -> None:
        """A request is complete."""
        if not self._has_body_behind_offer():
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """An offer of another protocol has ended what the parser takes; its error says where."""
        offer = sys.exception()
        if self._has_body_behind_offer() and offer is not None:
            self._body_at = cast("int", offer.args[0])

    def _has_body_behind_offer(self) -> bool:
        return self.parser.should_upgrade() and announces_body(self.headers)

    def _take_body(self, data: bytes) -> None:
        body = data[self._body_at :]
        self._body_at = None
        if self.transport.is_closing():
            return
        self.cycle.keep_alive = False  # what comes behind the body is not read
        self.parser: HttpRequestParser = parse_body(self.headers, self.on_body, self.on_message_complete)
        if body:
            super().data_received(body)
