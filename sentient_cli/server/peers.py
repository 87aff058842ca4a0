"""Several workers share one port: a request about a run is passed on to the worker that has it.

A run's id ends with the number of its worker. Each worker also listens on a Unix socket in a private directory.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from typing import TYPE_CHECKING

from sentient_cli.clock import Clock, SystemIds
from sentient_cli.server.answers import RequestError
from sentient_cli.server.stream import await_departure

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Peers", "WorkerIds"]

_RUN_PATH = re.compile(r"/runs/[0-9a-f]{32}-([0-9]{1,4})(?:/.*)?")
_SENT_ON = frozenset({b"host", b"origin", b"sec-fetch-site", b"authorization", b"last-event-id", b"accept"})
_PASSED_ON = frozenset(
    {b"content-type", b"cache-control", b"x-accel-buffering", b"sentient-run-id", b"allow", b"retry-after"}
)
_PATIENCE = 2.0
"""Seconds that another worker may take for what all are asked."""
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

    def wrap(self, app: ASGIApp, send_timeout: float) -> ASGIApp:
        """An application that answers itself, or passes on what another worker has to answer.

        Args:
            app: Answers here.
            send_timeout: Seconds that a client may take nothing of what is passed on.
        """

        async def routed(scope: Scope, receive: Receive, send: Send) -> None:
            found = _RUN_PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
            index = int(found[1]) if found is not None else self._index
            connection = await self._connect(index) if index != self._index else None
            if connection is None:  # also when that worker is gone: the store may have what it ran
                await app(scope, receive, send)
            else:
                await _forward(*connection, scope, receive, send, send_timeout)

        return routed

    async def ask_others(self, scope: Scope, path: str) -> list[bytes]:
        """What the other workers answer to a ``GET``; one that does not answer at once is left out.

        Args:
            scope: The request that it is asked for, whose credentials are sent on.
            path: What is asked for.
        """
        names = (file.stem for file in self._directory.glob("*.sock"))
        others = sorted(int(name) for name in names if name.isdigit() and int(name) != self._index)
        found = await asyncio.gather(*(self._ask(index, scope, path) for index in others))
        return [body for body in found if body is not None]

    async def _ask(self, index: int, scope: Scope, path: str) -> bytes | None:
        connection = await self._connect(index)
        if connection is None:
            return None
        reader, writer = connection
        plain, _, query = path.partition("?")
        asked = {**scope, "method": "GET", "raw_path": plain.encode(), "query_string": query.encode()}
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(_request_head(asked))
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            return body if head.split(b" ", 2)[1:2] == [b"200"] else None
        except (TimeoutError, ConnectionError):
            return None
        finally:
            writer.close()

    async def _connect(self, index: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            return await asyncio.open_unix_connection(str(self._directory / f"{index}.sock"))
        except OSError:
            return None


async def _forward(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    scope: Scope,
    receive: Receive,
    send: Send,
    send_timeout: float,
) -> None:
    leaving = asyncio.create_task(_break_off_when_left(receive, writer))
    relay = _Relay(reader, send, send_timeout, head_only=scope["method"] == "HEAD")
    try:
        writer.write(_request_head(scope))
        await relay.run()
    except TimeoutError:
        _logger.info("A client that took nothing for %g s is dropped", send_timeout, extra=_ids(scope))
        await _cut(scope, receive)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        if leaving.done():
            return
        if not relay.begun:
            raise RequestError(404, "run-not-found", "The worker that had this run is gone.") from None
        # The answer is left without its end, which tells the client that it is not whole.
        _logger.warning("A worker went away in the middle of an answer that was passed on", extra=_ids(scope))
        await _cut(scope, receive)
    finally:
        leaving.cancel()
        writer.close()


def _ids(scope: Scope) -> dict[str, object]:
    return {"request_id": scope.get("sentient.request_id", ""), "path": scope["path"]}


async def _cut(scope: Scope, receive: Receive) -> None:
    abort = scope.get("sentient.abort")
    if abort is not None:
        abort()
        await await_departure(receive)


def _request_head(scope: Scope) -> bytes:
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    lines = [scope["method"].encode() + b" " + scope["raw_path"] + query + b" HTTP/1.1", b"connection: close"]
    lines += [name + b": " + value for name, value in scope["headers"] if name in _SENT_ON]
    lines.append(b"x-request-id: " + scope.get("sentient.request_id", "").encode())
    return b"\r\n".join([*lines, b"content-length: 0", b"", b""])


async def _break_off_when_left(receive: Receive, writer: asyncio.StreamWriter) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    writer.transport.abort()  # whoever waits for the worker's next word gets an end instead


class _Relay:
    """Passes the answer of another worker on.

    Args:
        reader: Has the answer.
        send: Takes it.
        send_timeout: Seconds that the client may take nothing.
        head_only: Whether it is the answer to a HEAD, which has no body whatever it says of one.
    """

    def __init__(self, reader: asyncio.StreamReader, send: Send, send_timeout: float, *, head_only: bool) -> None:
        self._reader = reader
        self._send = send
        self._send_timeout = send_timeout
        self._head_only = head_only
        self.begun = False
        """Whether the client has the beginning of the answer."""

    async def run(self) -> None:
        """Pass everything on.

        Raises:
            TimeoutError: the client takes nothing.
            IncompleteReadError, ConnectionError, ValueError: the worker went away.
        """
        head = await self._reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head[:-4].split(b"\r\n")
        status = int(status_line.split()[1])
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        kept = [(name, value) for name, value in headers if name in _PASSED_ON]
        self.begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": kept})
        values = dict(headers)
        if self._head_only or status in _WITHOUT_BODY:
            await self._pass_on(b"", last=True)
        elif values.get(b"transfer-encoding") == b"chunked":
            await self._pass_chunks_on()
        else:
            await self._pass_on(await self._reader.readexactly(int(values.get(b"content-length", b"0"))), last=True)

    async def _pass_chunks_on(self) -> None:
        while size := int(await self._reader.readline(), 16):
            await self._pass_on((await self._reader.readexactly(size + 2))[:-2])
        await self._pass_on(b"", last=True)

    async def _pass_on(self, body: bytes, *, last: bool = False) -> None:
        async with asyncio.timeout(self._send_timeout):
            await self._send({"type": "http.response.body", "body": body, "more_body": not last})
