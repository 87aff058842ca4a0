"""Answers of a model over TLS, in HTTP/1.1 or HTTP/2 as the client wishes. Part of `bench.llm_http2`.

Run by the Python of the environment for comparisons. Arguments: the port, a file with certificate and key.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, cast

import uvloop

_PIECE = b'data: {"choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"usage":null}\n\n'
PIECES = 20

Event: TypeAlias = dict[str, object]


class _Config(Protocol):
    bind: list[str]
    certfile: str
    keyfile: str
    alpn_protocols: list[str]
    h2_max_concurrent_streams: int
    keep_alive_max_requests: int
    keep_alive_timeout: float
    backlog: int


async def answer(
    scope: Event, receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]
) -> None:
    """The application: reads the request, and sends twenty pieces."""
    if scope["type"] == "lifespan":
        while True:
            kind = str((await receive())["type"])
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})


def main(port: str, certificate: str) -> None:
    config = cast("_Config", vars(importlib.import_module("hypercorn.config"))["Config"]())
    config.bind, config.backlog = [f"127.0.0.1:{port}"], 1000
    config.certfile = config.keyfile = certificate
    config.alpn_protocols = ["h2", "http/1.1"]
    config.h2_max_concurrent_streams = 1000
    config.keep_alive_max_requests, config.keep_alive_timeout = 10**9, 3600.0
    serve = cast("Callable[..., Awaitable[None]]", vars(importlib.import_module("hypercorn.asyncio"))["serve"])

    async def run() -> None:
        await serve(answer, config)

    uvloop.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:])
