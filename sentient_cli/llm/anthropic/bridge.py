"""The SDK's HTTP client over our own connections: one pool, one set of limits, one seam for errors of the network.

Imported on first use only, since it loads the library that the SDK stands on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx2
from typing_extensions import override

from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport

__all__ = ["Bridge", "incoming_of"]

_INCOMING: Final = "sentient_incoming"
"""Under this name the SDK's response has ours, which is read without the layers between."""
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
"""Headers of a request that belong to the connection."""
_UNPACKED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers of an answer that are not true any more once it is unpacked."""
_LARGEST: Final = 1024 * 1024
"""Bytes of a refusal, which is all that the SDK reads itself."""


class _Body(httpx2.AsyncByteStream):
    """The body of a refusal."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield await self._incoming.read(_LARGEST)

    @override
    async def aclose(self) -> None:
        self._incoming.close()


class Bridge(httpx2.AsyncBaseTransport):
    """Sends what the SDK wants sent.

    Args:
        transport: The connections.
        config: The settings.
    """

    def __init__(self, transport: Transport, config: RemoteConfig) -> None:
        self._transport = transport
        self._config = config

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and give the answer once its head is there.

        Raises:
            SentientError: what our own connections raise; the SDK wraps it.
        """
        headers = {name: value for name, value in request.headers.items() if name not in _OURS}
        body = await request.aread()
        incoming = await self._transport.open(
            request.method, str(request.url), headers, body or None, config=self._config
        )
        told = [(name, value) for name, value in incoming.headers.items() if name not in _UNPACKED]
        return httpx2.Response(
            incoming.status, headers=told, stream=_Body(incoming), request=request, extensions={_INCOMING: incoming}
        )


def incoming_of(response: httpx2.Response) -> Incoming:
    """Our side of an answer that the SDK gave.

    Raises:
        TypeError: it did not come over the bridge.
    """
    incoming: object = response.extensions.get(_INCOMING)
    if not isinstance(incoming, Incoming):
        raise TypeError("The SDK's client does not use the bridge")
    return incoming
