"""Links that let a browser of this user in, once: what a browser is started with can be read by everybody here."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sentient_cli.server.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

__all__ = ["Tickets", "ticket_route"]

_PATH: Final = "/_sentient/open/"
_VALID: Final = 60.0
_MOST: Final = 8
_TABLES: Final = ("tcp", "tcp6")
_ESTABLISHED: Final = "01"


class Tickets:
    """Gives out links, each of which is worth something once and for a minute.

    Args:
        clock: Seconds that only grow.

    Example:
        >>> tickets = Tickets()
        >>> ticket = tickets.link("http://127.0.0.1:8000").rpartition("/")[2]
        >>> tickets.take(ticket), tickets.take(ticket)
        (True, False)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def link(self, url: str) -> str:
        """A new link to the page.

        Args:
            url: Of the server, without a path.
        """
        for ticket in list(self._until)[: -_MOST + 1]:
            del self._until[ticket]
        ticket = secrets.token_urlsafe(24)
        self._until[ticket] = self._clock() + _VALID
        return f"{url}{_PATH}{ticket}"

    def is_valid(self, ticket: str) -> bool:
        """Whether it can be taken."""
        return self._until.get(ticket, 0.0) > self._clock()

    def take(self, ticket: str) -> bool:
        """Whether it is valid, as it no longer is after this."""
        valid = self.is_valid(ticket)
        self._until.pop(ticket, None)
        return valid


def ticket_route(tickets: Tickets, token: str) -> Route:
    """The route of the links: it leads to the page, with the token where the link and who follows it are right.

    Args:
        tickets: Which links there are.
        token: Of the inspection.
    """
    return Route(f"{_PATH}{{ticket}}", _Door(tickets, token))


class _Door:
    def __init__(self, tickets: Tickets, token: str) -> None:
        self._tickets = tickets
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        ticket: str = scope["path_params"]["ticket"]
        # Another user must not even use it up.
        welcome = self._tickets.is_valid(ticket) and await asyncio.to_thread(_is_this_user, scope)
        where = f"/#token={self._token}" if welcome and self._tickets.take(ticket) else "/"
        headers = [
            (b"location", where.encode()),
            (b"cache-control", b"no-store"),
            (b"referrer-policy", b"no-referrer"),
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _is_this_user(scope: Scope) -> bool:
    """Whether the program at the other end of a connection runs for the same user, or for root, who may do anything."""
    if sys.platform != "linux":
        return True  # there browsers are told without others being able to read it
    if not scope.get("client") or not scope.get("server"):
        return False
    owners = _owners(scope["client"][1], scope["server"][1])
    return bool(owners) and owners <= {os.getuid(), 0}


def _owners(port: int, to: int) -> set[int]:
    """The users of the connections of this machine between two ports; proc_net_tcp(5)."""
    found: set[int] = set()
    for table in _TABLES:
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                _, local, remote, state, _, _, _, user, *_ = line.split()
                ends = local.rpartition(":")[2], remote.rpartition(":")[2]
                if state == _ESTABLISHED and ends == (f"{port:04X}", f"{to:04X}"):
                    found.add(int(user))
    return found
