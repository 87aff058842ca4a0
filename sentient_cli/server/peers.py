"""Several workers share one port: a request about a run is passed on to the worker that has it.

A run's id ends with the number of its worker. Each worker also listens on a Unix socket in a private directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from typing import TYPE_CHECKING

from sentient_cli.clock import Clock, SystemIds
from sentient_cli.server.answers import RequestError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Peers", "WorkerIds"]

_RUN_PATH = re.compile(r"/runs/[0-9a-f]{32}-([0-9]{1,4})(?:/.*)?")
_SENT_ON = frozenset({b"host", b"origin", b"sec-fetch-site", b"authorization", b"last-event-id", b"accept"})
_PASSED_ON = frozenset(
    {b"content-type", b"cache-control", b"x-accel-buffering", b"sentient-run-id", b"allow", b"retry-after"}
)
_WITHOUT_BODY = frozenset({204, 304})

_logger = logging.getLogger(__name__)


class WorkerIds(SystemIds):
    """Ids whose run ids name the worker.

    Args:
        clock: Gives the milliseconds of the ULIDs.
        index: The number of the worker.
    """

    def __init__(self, clock: Clock, index: int) -> None:
        super().__init__(clock)
        self._index = index

    def run_id(self) -> str:
        """An identifier of a run, which ends with the number of this worker."""
        return f"{super().run_id()}-{self._index}"


class Peers:
    """The workers that share a port.

    Args:
        index: The number of this one.
        directory: Where the sockets are; only this user may enter it.
    """

    def __init__(self, index: int, directory: Path) -> None:
        self._index = index
        self._directory = directory

    def listen(self) -> socket.socket:
        """The socket on which the other workers reach this one."""
        path = self._directory / f"{self._index}.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(128)
        listener.setblocking(False)
        return listener

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """An application that answers itself, or passes on what another worker has to answer."""

        async def routed(scope: Scope, receive: Receive, send: Send) -> None:
            found = _RUN_PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
            if found is None or int(found[1]) == self._index:
                await app(scope, receive, send)
            else:
                await self._forward(int(found[1]), scope, receive, send)

        return routed

    async def _forward(self, index: int, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._directory / f"{index}.sock"))
        except OSError:
            raise RequestError(404, "run-not-found", "There is no such run. Runs are kept for a while only.") from None
        left = asyncio.create_task(_wait_for_leaving(receive))
        try:
            writer.write(_request_head(scope))
            relay = asyncio.create_task(_relay(reader, send, head_only=scope["method"] == "HEAD"))
            await asyncio.wait((relay, left), return_when=asyncio.FIRST_COMPLETED)
            relay.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await relay
        finally:
            left.cancel()
            writer.close()


def _request_head(scope: Scope) -> bytes:
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    lines = [scope["method"].encode() + b" " + scope["raw_path"] + query + b" HTTP/1.1", b"connection: close"]
    lines += [name + b": " + value for name, value in scope["headers"] if name in _SENT_ON]
    lines.append(b"x-request-id: " + scope.get("sentient.request_id", "").encode())
    return b"\r\n".join([*lines, b"content-length: 0", b"", b""])


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _relay(reader: asyncio.StreamReader, send: Send, *, head_only: bool) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        raise RequestError(404, "run-not-found", "The worker that had this run is gone.") from None
    status_line, *lines = head[:-4].split(b"\r\n")
    status = int(status_line.split()[1])
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    kept = [(name, value) for name, value in headers if name in _PASSED_ON]
    await send({"type": "http.response.start", "status": status, "headers": kept})
    values = dict(headers)
    try:
        if head_only or status in _WITHOUT_BODY:
            await send({"type": "http.response.body", "body": b""})
        elif values.get(b"transfer-encoding") == b"chunked":
            await _relay_chunks(reader, send)
        else:
            body = await reader.readexactly(int(values.get(b"content-length", b"0")))
            await send({"type": "http.response.body", "body": body})
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        # The answer is left without its end, which tells the client that it is not whole.
        _logger.warning("A worker went away in the middle of an answer that was passed on")


async def _relay_chunks(reader: asyncio.StreamReader, send: Send) -> None:
    while size := int(await reader.readline(), 16):
        body = (await reader.readexactly(size + 2))[:-2]
        await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
