"""The protocol for where httptools is missing: uvicorn's on h11, which is Python alone, with the same limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from sentient_cli.server.header_limits import MAX_HEADERS, HeaderLimits

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

    from sentient_cli.server.header_limits import Cycle

__all__ = ["LimitedH11Protocol"]


class LimitedH11Protocol(HeaderLimits, H11Protocol):
    """uvicorn's protocol for every system."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        super().connection_made(self.noted(cast("asyncio.Transport", transport)))
        # The limit of h11 itself holds for headers that come in pieces; those that come at once are looked at below.
        self.conn: h11.Connection = h11.Connection(h11.SERVER, MAX_HEADERS)
        self.app: ASGI3Application = self._within_limits(self.app)
        self.await_headers()

    def current(self) -> Cycle | None:
        """The last request, whether it is answered already or not."""
        return cast("Cycle | None", self.cycle)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self.headers_came()
        super().connection_lost(exc)
        self.is_over()

    def handle_events(self) -> None:
        """Take in what the client sent."""
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self.headers_came()
        elif self.conn.trailing_data[0]:
            self.await_headers()

    def _within_limits(self, app: ASGI3Application) -> ASGI3Application:
        async def limited(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            if scope["type"] == "http":
                fields = sum(len(name) + len(value) for name, value in scope["headers"])
                if fields + len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEADERS:
                    headers = [(b"connection", b"close"), (b"content-length", b"0")]
                    await send({"type": "http.response.start", "status": 431, "headers": headers, "trailers": False})
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                self.introduce(cast("dict[str, object]", scope))
            await app(scope, receive, send)

        return limited
