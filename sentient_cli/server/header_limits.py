"""What uvicorn's HTTP protocols lack: limits of time and size for the headers, and ways to refuse and drop a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sentient_cli.server.counting import CountingTransport
from sentient_cli.server.ledger import LEDGER

if TYPE_CHECKING:
    import asyncio
    from collections.abc import MutableMapping

    from sentient_cli.server.ledger import Page

__all__ = ["LEAVING", "MAX_HEADERS", "HeaderLimits"]

MAX_HEADERS = 64 * 1024
"""Bytes of a request's line and headers."""

LEAVING = "sentient.leaving"
"""In the scope of a request whose body came too slowly for a server that leaves."""


class Cycle(Protocol):
    """What uvicorn knows of one request, as far as it matters here."""

    @property
    def scope(self) -> MutableMapping[str, object]:
        """Of the request."""
        ...

    more_body: bool
    response_started: bool
    response_complete: bool
    message_event: asyncio.Event


class HeaderLimits:
    """Mixed into a protocol of uvicorn's, which tells it when headers are waited for and when they have come."""

    header_timeout: float = 10.0
    """Seconds from the connection, or the first byte of a later request, to the end of the headers."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    page: Page
    """Where it is noted how far the answer is; absent where nobody wants to know."""

    _header_timer: asyncio.TimerHandle | None = None

    def current(self) -> Cycle | None:
        """The last request, whether it is answered already or not."""
        raise NotImplementedError

    def noted(self, transport: asyncio.Transport) -> asyncio.Transport:
        """A transport that notes what is written, if that is to be."""
        page = getattr(self, "page", None)
        return transport if page is None else CountingTransport(transport, page)

    def introduce(self, scope: MutableMapping[str, object]) -> None:
        """Put into the scope of a request what those who answer it need of the connection."""
        scope["sentient.abort"] = self.transport.abort
        if (page := getattr(self, "page", None)) is not None:
            scope[LEDGER] = page

    def is_over(self) -> None:
        """The connection has ended."""
        if (page := getattr(self, "page", None)) is not None:
            page.close()

    def is_answering(self) -> bool:
        """Whether an answer is going on."""
        cycle = self.current()
        return cycle is not None and not cycle.response_complete

    def refuse_half_sent(self) -> None:
        """Have a request refused whose body is not complete: who reads it is woken up, and finds that in the scope."""
        cycle = self.current()
        if cycle is not None and cycle.more_body and not cycle.response_started:
            cycle.scope[LEAVING] = True
            cycle.message_event.set()

    def await_headers(self) -> None:
        """Give the headers their time, unless they have it already."""
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_timeout, self._headers_late)

    def headers_came(self) -> None:
        """The headers are complete, or nobody waits for them any more."""
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_late(self) -> None:
        self._header_timer = None
        self.refuse(b"408 Request Timeout")

    def refuse(self, status: bytes) -> None:
        """Answer with nothing but a status, and close the connection."""
        self.headers_came()
        if not self.transport.is_closing():
            if not self.is_answering():  # an answer must not have this in its middle
                self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
