"""A way through a proxy: what it passes on it does not look at (``CONNECT``, RFC 9110, section 9.3.6)."""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from sentient_cli.errors import ConfigError
from sentient_cli.llm.wire.addresses import port_of
from sentient_cli.llm.wire.broken import ProxyFailedError

__all__ = ["tunnel"]

_LONGEST: Final = 16 * 1024
_OK: Final = range(200, 300)


async def tunnel(proxy: str, host: str, port: int) -> socket.socket:
    """A socket that leads through a proxy to a host. Close it.

    Args:
        proxy: Its address; a name and a password in it are told to it.
        host: Where to.
        port: Where to.

    Raises:
        ConfigError: it is not of a kind that this works with.
        ProxyFailedError: it does not do it.
    """
    place = urlsplit(proxy)
    if place.scheme != "http" or not place.hostname:
        raise ConfigError(
            "HTTP/2 does not go through this proxy",
            why=f"Its address begins with `{place.scheme}:`, not with `http:`",
            fix="Name another `proxy`, or remove `http2`",
        )
    try:
        return await _through(place, f"{host}:{port}")
    except OSError as error:
        if isinstance(error, ProxyFailedError):
            raise
        raise ProxyFailedError from error


async def _through(place: SplitResult, target: str) -> socket.socket:
    loop, host = asyncio.get_running_loop(), place.hostname or ""
    found = await loop.getaddrinfo(host, port_of(place), type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        await loop.sock_connect(made, address)
        await loop.sock_sendall(made, _request(place, target))
        _check(await _head(made))
    except BaseException:
        made.close()
        raise
    return made


def _request(place: SplitResult, target: str) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if place.username is not None:
        told = f"{unquote(place.username)}:{unquote(place.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(told.encode()).decode()}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


async def _head(made: socket.socket) -> bytes:
    loop, head = asyncio.get_running_loop(), b""
    while not head.endswith(b"\r\n\r\n"):
        # Byte by byte: what comes after it is no business of ours any more.
        came = await loop.sock_recv(made, 1)
        if not came or len(head) > _LONGEST:
            raise ProxyFailedError("The proxy closed the connection before it had answered")
        head += came
    return head


def _check(head: bytes) -> None:
    status = head.split(b" ", 2)[1:2]
    if not status or not status[0].isdigit() or int(status[0]) not in _OK:
        told = status[0].decode("ascii", "replace")[:3] if status else ""
        raise ProxyFailedError(f"The proxy does not let it through (status {told})")
