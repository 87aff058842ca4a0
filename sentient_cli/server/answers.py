"""Plain answers: JSON bodies, and errors that tell nothing of the inside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sentient_cli.runtime.events import encode_json
from sentient_cli.server.header_limits import LEAVING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import Receive, Scope, Send

__all__ = ["RequestError", "read_body", "send_json"]

Header = tuple[bytes, bytes]


class RequestError(Exception):
    """A request that is answered with an error.

    Args:
        status: The HTTP status.
        code: A stable name in kebab case.
        detail: For the reader, or the list of faults of a body.
        headers: More headers.
        more: More fields of the body.
        close: Whether the connection ends with the answer, since the body was not read.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: object,
        *,
        headers: Iterable[Header] = (),
        more: Mapping[str, object] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.headers: list[Header] = [*headers, (b"connection", b"close")] if close else list(headers)
        self.body: dict[str, object] = {"detail": detail, "code": code, **(more or {})}


async def send_json(send: Send, status: int, body: object, headers: Iterable[Header] = ()) -> None:
    """Answer with JSON."""
    data = encode_json(body)
    own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": data})


async def read_body(scope: Scope, receive: Receive, *, limit: int, seconds: float) -> bytes:
    """Read the whole body.

    Args:
        scope: Of the request.
        receive: Gives the body.
        limit: The most bytes taken.
        seconds: The longest time taken.

    Raises:
        RequestError: 413 too large, 408 too slow, 400 the client left, 503 the server does.
    """
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not announced.isdigit() or int(announced) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(seconds):
            return await _read(scope, receive, limit)
    except TimeoutError:
        raise RequestError(408, "body-too-slow", f"The body took longer than {seconds:g} seconds", close=True) from None


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(400, "disconnected", "The client left", close=True)
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
        if LEAVING in scope:
            raise RequestError(
                503, "overloaded", "The server is shutting down", headers=[(b"retry-after", b"1")], close=True
            )


def _too_large(limit: int) -> RequestError:
    return RequestError(413, "body-too-large", f"The body has more than {limit} bytes", close=True)
