"""Inspection: the entries of all runs in one order, the runs, and how things stand; for whoever has the token."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias
from urllib.parse import parse_qsl

from sentient_cli.errors import CursorError
from sentient_cli.server.answers import RequestError, send_json
from sentient_cli.server.frames import HEARTBEAT
from sentient_cli.server.routing import Route
from sentient_cli.server.stream import SSE_HEADERS, Connection

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["FeedExpiredError", "FeedRecord", "Inspected", "InspectionFeed", "inspection_routes", "make_token_file"]

_BATCH = 256
_RUNS = 1000
_CLOSE = (b"connection", b"close")

_logger = logging.getLogger(__name__)


class FeedRecord(NamedTuple):
    """One record of a feed.

    Args:
        cursor: Where it stands; whoever has it asks for what comes after it.
        event: What kind it is: ``entry`` or ``reload``.
        data: JSON, in one line.
    """

    cursor: str
    event: str
    data: bytes


class FeedExpiredError(Exception):
    """What comes after a cursor is no longer held.

    Args:
        first: The cursor from which everything that is held comes.
    """

    def __init__(self, first: str) -> None:
        super().__init__(f"The records after this cursor are no longer held: begin after {first}")
        self.first = first


class InspectionFeed(Protocol):
    """Records of all runs, in one order."""

    def locate(self, cursor: str | None) -> int:
        """Where a cursor stands; None: before everything that is held; ``latest``: behind it.

        Raises:
            FeedExpiredError: what follows it is no longer held.
            CursorError: it is none.
        """
        ...

    def read(self, after: int, limit: int) -> tuple[Sequence[FeedRecord], int]:
        """At least one record after a place when there is any, about ``limit`` of them, and the place behind them.

        Raises:
            FeedExpiredError: they are no longer held.
        """
        ...

    def wake_once(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` after the next record; asking twice is asking once."""
        ...

    def forget(self, wake: Callable[[], None]) -> None:
        """It is not to be called any more."""
        ...


class Inspected(Protocol):
    """What can be inspected."""

    @property
    def feed(self) -> InspectionFeed:
        """The entries of all runs."""
        ...

    def state(self) -> Mapping[str, object]:
        """How things stand, as a JSON object."""
        ...

    async def runs(self, limit: int) -> Sequence[Mapping[str, object]]:
        """The runs, the newest first, each as a JSON object."""
        ...


_Endpoint: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"


def make_token_file(path: Path) -> str:
    """Make a token and a file that has it, readable by its owner only; the file is there whole or not at all.

    Args:
        path: The file; replaced when it is there. Its directory is made, private, when it is not.

    Raises:
        OSError: it cannot be written.
    """
    token = secrets.token_urlsafe(32)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return token


def inspection_routes(
    inspected: Inspected,
    token: str,
    *,
    heartbeat: float = 15.0,
    send_timeout: float = 30.0,
    is_leaving: Callable[[], bool] = lambda: False,
) -> list[Route]:
    """The routes below ``/_sentient``, to stand within a `sentient_cli.server.gate.Gate`.

    Args:
        inspected: What can be inspected.
        token: What ``Authorization: Bearer`` has to carry.
        heartbeat: Seconds of silence after which a stream has a comment.
        send_timeout: Seconds that a client may take nothing.
        is_leaving: Whether the server ends; streams then end with it once the feed wakes them.
    """
    inspection = _Inspection(inspected, heartbeat, send_timeout, is_leaving)
    endpoints: dict[str, _Endpoint] = {
        "/_sentient/entries": inspection.entries,
        "/_sentient/state": inspection.state,
        "/_sentient/runs": inspection.runs,
    }
    return [Route(path, _Guarded(endpoint, token)) for path, endpoint in endpoints.items()]


class _Guarded:
    """An endpoint for whoever has the token."""

    def __init__(self, endpoint: _Endpoint, token: str) -> None:
        self._endpoint = endpoint
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        right = hmac.compare_digest(token.strip(b" \t"), self._token)
        if scheme.lower() != b"bearer" or not right:
            raise RequestError(
                401,
                "token-required",
                "The inspection token is needed: Authorization: Bearer <token>",
                headers=[(b"www-authenticate", b'Bearer realm="sentient inspection"')],
                close=True,
            )
        await self._endpoint(scope, receive, send)


class _Inspection:
    def __init__(
        self, inspected: Inspected, heartbeat: float, send_timeout: float, is_leaving: Callable[[], bool]
    ) -> None:
        self._inspected = inspected
        self._heartbeat = heartbeat
        self._send_timeout = send_timeout
        self._is_leaving = is_leaving

    async def state(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """``GET /_sentient/state``."""
        await _send_fresh(scope, send, self._inspected.state())

    async def runs(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """``GET /_sentient/runs``."""
        await _send_fresh(scope, send, list(await self._inspected.runs(_RUNS)))

    async def entries(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /_sentient/entries``: the records after a cursor, then live."""
        feed = self._inspected.feed
        try:
            after = feed.locate(_cursor(scope))
        except FeedExpiredError as error:
            more = {"first_cursor": error.first}
            raise RequestError(410, "cursor-expired", str(error), headers=[_CLOSE], more=more) from None
        except CursorError as error:
            raise RequestError(400, error.code, str(error), headers=[_CLOSE]) from None
        await send({"type": "http.response.start", "status": 200, "headers": [*SSE_HEADERS, _CLOSE]})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        times = {"heartbeat": self._heartbeat, "send_timeout": self._send_timeout}
        with Connection(scope, receive, send, **times) as connection:
            try:
                await self._follow(feed, after, connection)
            except FeedExpiredError:
                _logger.info("An inspection that was too slow is cut off")
                connection.abort()
            finally:
                feed.forget(connection.wake.ring)
        await connection.gone()

    async def _follow(self, feed: InspectionFeed, after: int, connection: Connection) -> None:
        await connection.send(HEARTBEAT)  # whoever waits for the first record knows that it is connected
        while not connection.left:
            records, after = feed.read(after, _BATCH)
            if records:
                await connection.send(b"".join(map(_frame, records)))
                continue
            if self._is_leaving():
                await connection.send(b"", more=False)
                return
            feed.wake_once(connection.wake.ring)
            if not await connection.wake.wait():
                await connection.send(HEARTBEAT)


def _frame(record: FeedRecord) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (record.cursor.encode(), record.event.encode(), record.data)


async def _send_fresh(scope: Scope, send: Send, body: object) -> None:
    del scope  # that a HEAD has no body the server sees to
    await send_json(send, 200, body, [(b"cache-control", b"no-store"), _CLOSE])


def _cursor(scope: Scope) -> str | None:
    header: bytes | None = next((value for name, value in scope["headers"] if name == b"last-event-id"), None)
    if header is not None:
        return header.decode("latin-1")
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return next((value for key, value in reversed(pairs) if key == "after"), None)
