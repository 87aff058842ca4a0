"""The way through a proxy in HTTP/1.1: by a tunnel where it is encrypted; else the proxy itself is asked."""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from sentient_cli.errors import ConfigError
from sentient_cli.llm.wire.addresses import port_of
from sentient_cli.llm.wire.broken import ProxyFailedError
from sentient_cli.llm.wire.dialing import connected
from sentient_cli.llm.wire.http1.connection import Connection

__all__ = ["Proxy", "proxy_of", "tunnelled"]

_LONGEST: Final = 16 * 1024
_OK: Final = range(200, 300)


class Proxy(NamedTuple):
    """A proxy.

    Args:
        host: Where it is.
        port: Its port.
        context: What is trusted; None: what goes to it is not encrypted.
        credential: The header that it knows us by, if any.
    """

    host: str
    port: int
    context: ssl.SSLContext | None
    credential: dict[str, str]


def proxy_of(address: str) -> Proxy:
    """A proxy by its address; a name and a password in it are told to it.

    Args:
        address: Such as ``http://127.0.0.1:3128``.

    Raises:
        ConfigError: it is none that this works with.

    Example:
        >>> proxy = proxy_of("http://me:secret@127.0.0.1:3128")
        >>> proxy.port, proxy.credential
        (3128, {'Proxy-Authorization': 'Basic bWU6c2VjcmV0'})
    """
    place = urlsplit(address)
    if place.scheme not in {"http", "https"} or not place.hostname:
        raise ConfigError(
            "Requests cannot be sent through this proxy",
            why="Its address begins with neither `http:` nor `https:`",
            fix="Name another `proxy`",
        )
    credential: dict[str, str] = {}
    if place.username is not None:
        told = f"{unquote(place.username)}:{unquote(place.password or '')}"
        credential["Proxy-Authorization"] = f"Basic {base64.b64encode(told.encode()).decode()}"
    context = ssl.create_default_context() if place.scheme == "https" else None
    return Proxy(place.hostname, port_of(place), context, credential)


class _Way(asyncio.Protocol):
    """Reads what a proxy says to the wish for a tunnel."""

    def __init__(self) -> None:
        self.head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._came = b""

    @override
    def data_received(self, data: bytes) -> None:
        self._came += data
        end = self._came.find(b"\r\n\r\n")
        if self.head.done():
            return
        # Nobody at the other end speaks before we do.
        if end >= 0 and end + 4 == len(self._came):
            self.head.set_result(self._came)
        elif end >= 0 or len(self._came) > _LONGEST:
            self.head.set_exception(ProxyFailedError("The proxy does not answer as it should"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.head.done():
            early = ProxyFailedError("The proxy closed the connection before it had answered")
            self.head.set_exception(exc or early)
            self.head.exception()  # perhaps nobody waits for it


async def tunnelled(proxy: Proxy, connection: Connection, context: ssl.SSLContext) -> None:
    """Lead a connection through a proxy to where it shall lead.

    Args:
        proxy: The proxy.
        connection: What shall speak.
        context: What is trusted at the other end.

    Raises:
        ProxyFailedError: the proxy does not do it.
        OSError: the other side is not trusted.
    """
    host, port = connection.origin.host, connection.origin.port
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        transport, way = await connected(_Way, proxy.host, proxy.port, proxy.context)
    except OSError as error:
        raise ProxyFailedError from error
    try:
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", *map(": ".join, proxy.credential.items())]
        transport.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        try:
            _check(await way.head)
        except ProxyFailedError:
            raise
        except OSError as error:
            raise ProxyFailedError from error
        loop = asyncio.get_running_loop()
        made = await loop.start_tls(transport, connection, context, server_hostname=host)
    except BaseException:
        transport.abort()
        raise
    if made is None:
        raise ProxyFailedError("The proxy closed the connection")
    connection.connection_made(made)


def _check(head: bytes) -> None:
    status = head.split(b" ", 2)[1:2]
    if not status or not status[0].isdigit() or int(status[0]) not in _OK:
        told = status[0].decode("ascii", "replace")[:3] if status else ""
        raise ProxyFailedError(f"The proxy does not let it through (status {told})")
