"""Opens connections: to the first address of a host that answers, encrypted where that is wanted."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Final, TypeAlias, TypeVar

from sentient_cli.llm.wire.broken import NoConnectionError

__all__ = ["connected", "encrypted", "reached"]

P = TypeVar("P", bound=asyncio.Protocol)
Address: TypeAlias = "tuple[socket.AddressFamily, tuple[object, ...]]"
NEXT: Final = 0.25
"""Seconds after which another address is tried while one does not answer (RFC 8305, section 5)."""


async def connected(
    make: Callable[[], P], host: str, port: int, context: ssl.SSLContext | None
) -> tuple[asyncio.Transport, P]:
    """Open a connection.

    Args:
        make: Makes what speaks over it.
        host: Where to.
        port: Where to.
        context: What is trusted; None: nothing is encrypted.

    Raises:
        NoConnectionError: there is none.
        OSError: the name is not known, or the other side not trusted.
    """
    return await encrypted(make, await reached(host, port), host, context)


async def encrypted(
    make: Callable[[], P], way: socket.socket, host: str, context: ssl.SSLContext | None
) -> tuple[asyncio.Transport, P]:
    """Speak over a socket, encrypted or not.

    Args:
        make: Makes what speaks.
        way: The socket, which is taken over.
        host: Who shall be at its other end.
        context: What is trusted; None: nothing is encrypted.

    Raises:
        OSError: the other side is not trusted.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_connection(make, sock=way, ssl=context, server_hostname=host if context else None)


async def reached(host: str, port: int) -> socket.socket:
    """A socket that is connected: with the first address that answers. Close it.

    Args:
        host: A name or an address.
        port: The port.

    Raises:
        NoConnectionError: none of its addresses answers.
        OSError: the name is not known.
    """
    addresses = await _addresses(host, port)
    try:
        return await (_opened(addresses[0]) if len(addresses) == 1 else _first(addresses))
    except OSError as error:
        raise NoConnectionError from error


async def _addresses(host: str, port: int) -> list[Address]:
    """Where a host is: in both families in turn, so that one that leads nowhere costs a moment only."""
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        every: list[Address] = [(family, place) for family, _, _, _, place in found]
        first = [one for one in every if one[0] == every[0][0]]
        others = [one for one in every if one[0] != every[0][0]]
        return [one for one in chain.from_iterable(zip_longest(first, others)) if one is not None]
    family = socket.AF_INET if literal.version == 4 else socket.AF_INET6  # noqa: PLR2004 - of the protocol
    return [(family, (host, port))]


async def _opened(address: Address) -> socket.socket:
    family, place = address
    way = socket.socket(family, socket.SOCK_STREAM)
    try:
        way.setblocking(False)
        await asyncio.get_running_loop().sock_connect(way, place)
    except BaseException:
        way.close()
        raise
    return way


async def _first(addresses: Sequence[Address]) -> socket.socket:
    """The first that answers: the next one is tried once one has failed, or has taken too long.

    Raises:
        OSError: why the first of them failed, if they all did.
    """
    left, trying, failures = deque(addresses), set[asyncio.Task[socket.socket]](), list[BaseException]()
    try:
        while left or trying:
            if left:
                trying.add(asyncio.create_task(_opened(left.popleft()), name="open a connection"))
            timeout = NEXT if left else None
            done, _ = await asyncio.wait(trying, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                trying.discard(task)
                error = task.exception()
                if error is None:
                    return task.result()
                failures.append(error)
    finally:
        for task in trying:
            task.add_done_callback(_unwanted)
            task.cancel()
    raise failures[0]


def _unwanted(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
