"""The HTTP client of a vendor's SDK over our own connections: one pool, one set of limits, one seam for their errors.

Imported by adapters only, and on first use, since it loads the library that the SDKs stand on.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from secrets import token_hex
from typing import Final, NamedTuple

import httpx2
from typing_extensions import override

from sentient_cli.errors import ProviderConnectionError, ProviderError
from sentient_cli.llm.wire.reading import Incoming
from sentient_cli.llm.wire.settings import RemoteConfig
from sentient_cli.llm.wire.transport import Transport

__all__ = ["Bridge", "Form", "form_of", "http_client", "incoming_of", "unseen"]

_MARK: Final = "sentient-mark"
"""The header by which a request that the SDK sends is known here; it is not sent on."""
_unseen: Final[dict[str, Mapping[str, str] | None]] = {}
"""By their marks, the headers of the requests that are being sent, such as their keys. None: it is only built.

In no context variable: tasks may share one, and would send the keys of each other.
"""
_NONE: Final[Mapping[str, str]] = {}
_INCOMING: Final = "sentient_incoming"
"""Under this name the SDK's response has ours."""
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", _MARK})
"""Headers of a request that belong to the connection, and its mark."""
_UNPACKED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers of an answer that are not true any more once it is unpacked."""
_LARGEST: Final = 64 * 1024 * 1024
_LARGEST_REFUSAL: Final = 1024 * 1024
_REFUSED: Final = 300
_TALKERS: Final = ("anthropic._base_client", "openai._base_client")
"""What of the SDKs logs whole requests at DEBUG, with their texts."""


class Form(NamedTuple):
    """What the SDK makes of each request of one kind: building one costs it more than a hundred pieces of an answer.

    Args:
        url: Where it goes.
        headers: With names in lower case.
    """

    url: str
    headers: Mapping[str, str]


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, for what the SDK reads itself."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        refused = self._incoming.status >= _REFUSED
        try:
            yield await self._incoming.read(_LARGEST_REFUSAL if refused else _LARGEST)
        except ProviderError:
            if not refused:
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
            SentientError: what our own connections raise; an SDK lets it through, or wraps it.
        """
        more = _unseen.get(request.headers.get(_MARK, ""), _NONE)
        if more is None:
            return httpx2.Response(200, request=request)
        transport, config = self._current()
        headers = {name: value for name, value in request.headers.items() if name not in _OURS}
        for name, value in more.items():
            headers[name.lower()] = value
        body = await request.aread()
        incoming = await transport.open(request.method, str(request.url), headers, body or None, config=config)
        # As bytes: of texts, httpx takes only those of ASCII, and the name of an organization may have others.
        told = [(name.encode(), value.encode()) for name, value in incoming.headers.items() if name not in _UNPACKED]
        return httpx2.Response(
            incoming.status, headers=told, stream=_Body(incoming), request=request, extensions={_INCOMING: incoming}
        )


def http_client(current: Callable[[], tuple[Transport, RemoteConfig]]) -> httpx2.AsyncClient:
    """A client for an SDK, which follows nothing and asks the environment nothing; no SDK logs requests from then on.

    Args:
        current: As for `Bridge`.
    """
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.INFO)
    # It keeps no cookies, so nobody knows one call by another; one that the settings name among their headers is sent.
    forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx2.AsyncClient(transport=Bridge(current), cookies=forgetful, follow_redirects=False, trust_env=False)


def incoming_of(provider: str, response: httpx2.Response) -> Incoming:
    """Our side of an answer that an SDK gave, which is read without the layers between.

    Args:
        provider: Whose.
        response: What the SDK gave.

    Raises:
        ProviderConnectionError: it did not come over the bridge.
    """
    incoming: object = response.extensions.get(_INCOMING)
    if not isinstance(incoming, Incoming):
        raise ProviderConnectionError("The SDK does not use our connections", provider=provider)
    return incoming


@contextmanager
def unseen(headers: Mapping[str, str] | None) -> Generator[Mapping[str, str]]:
    """In this block a request can be sent with more headers than its SDK knows, which logs a lot.

    It gives what the SDK is to send in their place.

    Args:
        headers: Such as the one with the key; None: the request is only built.
    """
    mark = token_hex(8)
    _unseen[mark] = headers
    try:
        yield {_MARK: mark}
    finally:
        del _unseen[mark]


async def form_of(send: Callable[[Mapping[str, str]], Awaitable[httpx2.Response]]) -> Form:
    """How an SDK builds a request; nothing is sent.

    Args:
        send: Has the SDK send one with these headers besides others.
    """
    with unseen(None) as marks:
        request = (await send(marks)).request
    headers = {name: value for name, value in request.headers.items() if name not in _OURS}
    return Form(str(request.url), headers)
