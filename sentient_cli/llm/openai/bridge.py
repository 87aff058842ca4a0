"""The SDK's HTTP client over our own connections: one pool, one set of limits, one seam for errors of the network.

Imported on first use only, since it loads the library that the SDK stands on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx2
from typing_extensions import override

from sentient_cli.errors import ProviderError
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport

__all__ = ["INCOMING", "Bridge", "http_client"]

INCOMING: Final = "sentient_incoming"
"""Under this name the SDK's response has ours, which is read without the layers between."""
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
"""Headers of a request that belong to the connection."""
_UNPACKED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers of an answer that are not true any more once it is unpacked."""
_LONGEST: Final = 64 * 1024 * 1024
_REFUSED: Final = 300


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, for what the SDK reads itself."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            yield await self._incoming.read(_LONGEST)
        except ProviderError:
            if self._incoming.status < _REFUSED:
                raise
            yield b""  # of a refusal the status says enough
        finally:
            self._incoming.close()  # the SDK does not, when it is cancelled here

    @override
    async def aclose(self) -> None:
        self._incoming.close()


class Bridge(httpx2.AsyncBaseTransport):
    """Sends what the SDK wants sent.

    Args:
        current: Gives the connections and the settings of this moment.
    """

    def __init__(self, current: Callable[[], tuple[Transport, RemoteConfig]]) -> None:
        self._current = current

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and give the answer once its head is there.

        Raises:
            SentientError: what our own connections raise, which the SDK lets through.
        """
        transport, config = self._current()
        headers = {name: value for name, value in request.headers.items() if name not in _OURS}
        body = await request.aread()
        incoming = await transport.open(request.method, str(request.url), headers, body or None, config=config)
        told = [(name, value) for name, value in incoming.headers.items() if name not in _UNPACKED]
        return httpx2.Response(
            incoming.status, headers=told, stream=_Body(incoming), request=request, extensions={INCOMING: incoming}
        )


def http_client(current: Callable[[], tuple[Transport, RemoteConfig]]) -> httpx2.AsyncClient:
    """A client for the SDK, which follows nothing and asks the environment nothing.

    Args:
        current: As for `Bridge`.
    """
    return httpx2.AsyncClient(transport=Bridge(current), follow_redirects=False, trust_env=False)
