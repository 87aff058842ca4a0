"""Opens connections in HTTP/2: encrypted, or, on this machine, by prior knowledge of both sides."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from sentient_cli.llm.wire.addresses import port_of
from sentient_cli.llm.wire.broken import NoConnectionError, NoHttp2Error, NotReachedError
from sentient_cli.llm.wire.http2.connection import Connection
from sentient_cli.llm.wire.http2.tunnel import tunnel
from sentient_cli.llm.wire.settings import RemoteConfig

__all__ = ["dial", "negotiating"]


def negotiating(context: ssl.SSLContext | bool) -> ssl.SSLContext | None:
    """What is trusted, with HTTP/2 as the only protocol that is offered (ALPN).

    Args:
        context: What is trusted; ``True``: nothing is encrypted.
    """
    if isinstance(context, bool):
        return None
    context.set_alpn_protocols(["h2"])
    return context


async def dial(config: RemoteConfig, context: ssl.SSLContext | None, lost: Callable[[], None]) -> Connection:
    """Open a connection, and wait until the other side has said what it allows.

    Args:
        config: Says where, and how long it may take.
        context: What is trusted; None: nothing is encrypted.
        lost: As for `Connection`.

    Raises:
        NotReachedError: it took too long.
        NoHttp2Error: the other side does not speak HTTP/2.
        OSError: there is no connection, or it is not trusted.
    """
    try:
        async with asyncio.timeout(config.connect_timeout):
            connection = await _connected(config, context, lost)
            try:
                await connection.ready
            except BaseException:
                connection.abort()
                raise
            return connection
    except TimeoutError:
        raise NotReachedError from None


async def _connected(config: RemoteConfig, context: ssl.SSLContext | None, lost: Callable[[], None]) -> Connection:
    loop, parts = asyncio.get_running_loop(), urlsplit(config.base_url)
    host, port = parts.hostname or "", port_of(parts)
    name = host if context is not None else None
    if config.proxy is not None:
        way = await tunnel(config.proxy, host, port)
        made = await loop.create_connection(lambda: Connection(lost), sock=way, ssl=context, server_hostname=name)
        return _checked(*made)
    failure: OSError | None = None
    for family, _, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        try:
            made = await loop.create_connection(
                lambda: Connection(lost),
                str(address[0]),
                port,
                family=family,
                proto=protocol,
                ssl=context,
                server_hostname=name,
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
        else:
            return _checked(*made)
    raise NoConnectionError from failure


def _checked(transport: asyncio.Transport, connection: Connection) -> Connection:
    """See whether the other side has chosen HTTP/2.

    Raises:
        NoHttp2Error: it has not.
    """
    encrypted: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if encrypted is not None and encrypted.selected_alpn_protocol() != "h2":
        connection.abort()
        raise NoHttp2Error("{} offers only HTTP/1.1")
    return connection
